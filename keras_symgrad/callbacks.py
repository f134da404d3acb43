"""Callbacks for `interpret(..., callbacks=[...])`, as `keras.callbacks` are for `fit`."""

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
    "EarlyStopping",
    "LambdaCallback",
    "ProgressBar",
    "TensorBoard",
    "TimeLimit",
]
