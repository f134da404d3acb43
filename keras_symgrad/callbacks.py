"""Callbacks for `interpret(..., callbacks=[...])`, and `ConceptMonitor` for Keras' own `fit`."""

from keras_symgrad.api.concept_monitor import ConceptMonitor
from keras_symgrad.search.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ProgressBar,
    TensorBoard,
    TimeLimit,
)

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "ConceptMonitor",
    "EarlyStopping",
    "LambdaCallback",
    "ProgressBar",
    "TensorBoard",
    "TimeLimit",
]
