"""The classes that group tags for those who consume them."""

from typing import Final, get_args

from stream_app.domain.changes import TagClass

TAG_CLASSES: Final[tuple[TagClass, ...]] = get_args(TagClass)
#: Tags of these classes come from learned models.
MODEL_CLASSES: Final[tuple[TagClass, ...]] = ("segment", "prediction")
#: Tags of these classes come from declared rules.
RULE_CLASSES: Final = tuple(name for name in TAG_CLASSES if name not in MODEL_CLASSES)
