"""What the catalogue says is to be learned."""

from __future__ import annotations

from stream_app.engine import load_catalogue
from stream_app.learning.declaration import Learning
from stream_app.settings import Settings


class NothingToLearn(Exception):
    """The catalogue declares no learning; the message says what to do."""


def declared(settings: Settings) -> Learning:
    """The catalogue's `learning:`; raises NothingToLearn where there is none."""
    learning = load_catalogue(settings.catalog).learning
    if learning is None:
        raise NothingToLearn(
            f"the catalogue {settings.catalog} declares nothing to learn: add a section "
            "`learning:` to it, or name another with STREAM_APP_CATALOG"
        )
    return learning
