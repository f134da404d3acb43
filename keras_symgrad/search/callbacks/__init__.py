"""Callbacks of a search: early stopping, checkpoints, loggers, progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.search.callbacks.base import (
        Assessed,
        Callback,
        CallbackList,
        EarlyStopping,
        LambdaCallback,
        Logs,
        TimeLimit,
        check_callbacks,
    )
    from keras_symgrad.search.callbacks.checkpoint import Checkpoint, SavedSearch
    from keras_symgrad.search.callbacks.loggers import (
        CSVLogger,
        TensorBoard,
        write_scalars,
        write_text_summary,
    )
    from keras_symgrad.search.callbacks.progress import ProgressBar
    from keras_symgrad.search.callbacks.progress_display import (
        ProgressDisplay,
        open_display,
    )
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Assessed",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "Checkpoint",
    "EarlyStopping",
    "LambdaCallback",
    "Logs",
    "ProgressBar",
    "ProgressDisplay",
    "SavedSearch",
    "TensorBoard",
    "TimeLimit",
    "check_callbacks",
    "open_display",
    "write_scalars",
    "write_text_summary",
]
