"""Import TensorFlow, Keras and SymPy: without their lines on the terminal, in less time."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from keras_symgrad.cli.address_space import warn_of_small_address_space


@contextmanager
def library_imports() -> Iterator[None]:
    """Prepare the process for a block that imports the libraries.

    TensorFlow's start-up lines are suppressed, unless the block fails. A user who sets
    TF_CPP_MIN_LOG_LEVEL sees what it says.

    Example:

    >>> with library_imports():
    ...     import tensorflow
    """
    # A `.keras` file is not bound to the backend that wrote it; gradients need TensorFlow.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if "tensorflow" in sys.modules:
        yield
        return
    warn_of_small_address_space()
    with without_garbage_collection():
        if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
            yield
            return
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        with standard_error_held_back():
            yield


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Collect no garbage during a block, and none of what there is at its end.

    The imports make 700,000 objects, of which 4,000 are garbage. To look through them again and
    again took 0.8 of their 3.1 processor seconds, and each full collection later another 0.24.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def standard_error_held_back() -> Iterator[None]:
    """Redirect standard error of C++ code too, which a Python variable alone does not silence."""
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
