"""What is learned: what the catalogue declares, followed while the trainer runs."""

from __future__ import annotations

import logging

from stream_app.engine.reload import CatalogueFile
from stream_app.kafka.model_training.around import Fold
from stream_app.learning.declaration import Learning
from stream_app.learning.trainer import Trainer

log = logging.getLogger(__name__)


class Lessons:
    """Makes folds of what `catalogue` declares; it must declare learning to begin with."""

    def __init__(self, catalogue: CatalogueFile, learning: Learning) -> None:
        self._catalogue = catalogue
        self._learning = learning

    def make_fold(self) -> Fold:
        """A fold that has learned nothing yet."""
        return Trainer(self._learning)

    def reload(self) -> bool:
        """Whether the catalogue's file has changed so that something else is learned.

        Raises DeclarationError where the changed file is broken, once a change.
        """
        program = self._catalogue.reload()
        if program is None:
            return False
        found, revision = program.catalogue.learning, program.catalogue.revision
        if found is None:
            log.warning(
                "Catalogue %s declares nothing to learn any more: what was declared is learned "
                "until the trainer ends", revision,
            )  # fmt: skip
            return False
        changed = found != self._learning
        self._learning = found
        log.info(
            "Catalogue %s is in use: %s", revision,
            "it declares other learning, so all is learned anew" if changed else "same learning",
        )  # fmt: skip
        return changed
