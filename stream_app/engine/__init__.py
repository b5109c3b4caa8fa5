"""The pure core: a compiled catalogue, one partition's profiles, and the step that folds a round.

Bytes and time come in, the next state and everything to publish go out; no broker, no clock.
"""

from stream_app.engine.catalogue import Catalogue, Program, load_catalogue
from stream_app.engine.profiles import Profiles
from stream_app.engine.step import Step, step

__all__ = ["Catalogue", "Profiles", "Program", "Step", "load_catalogue", "step"]
