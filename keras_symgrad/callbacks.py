"""Callbacks for `interpret(..., callbacks=[...])`, as `keras.callbacks` are for `fit`."""

from keras_symgrad.search.callbacks import Callback, EarlyStopping, LambdaCallback, TimeLimit
from keras_symgrad.search.checkpoint import Checkpoint
from keras_symgrad.search.loggers import CSVLogger, TensorBoard
from keras_symgrad.search.progress import ProgressBar

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
