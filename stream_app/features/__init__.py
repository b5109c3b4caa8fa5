"""Declared features: compiled to a row layout, folded over batches, read as columns of values.

`declare` → `compile_features` → `Features.bind` → `fold`, `values`, `due`; `migrate` takes rows
of an older catalogue over.
"""

from stream_app.features.bound import BoundFeatures, Folded
from stream_app.features.compile import Features, FeatureSettings, compile_features
from stream_app.features.cost import FeatureCost
from stream_app.features.declaration import Declaration, declare
from stream_app.features.dictionary import Dictionary
from stream_app.features.migrate import migrate
from stream_app.features.storage import NEVER
from stream_app.features.values import Column, Values, Weighted

__all__ = [
    "NEVER",
    "BoundFeatures",
    "Column",
    "Declaration",
    "Dictionary",
    "FeatureCost",
    "FeatureSettings",
    "Features",
    "Folded",
    "Values",
    "Weighted",
    "compile_features",
    "declare",
    "migrate",
]
