"""The imports of the libraries: no lines on the terminal, no garbage collection."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from keras_symgrad.cli.start_up import standard_error_held_back, without_garbage_collection


def test_start_up_lines_are_held_back_unless_the_start_fails(capfd):
    with standard_error_held_back():
        os.write(2, b"oneDNN custom operations are on\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), standard_error_held_back():
        os.write(2, b"libcudart.so not found\n")
        raise ImportError
    assert capfd.readouterr().err == "libcudart.so not found\n"


IMPORTS = """
import gc
from keras_symgrad.cli.start_up import library_imports
collections = []
with library_imports():
    gc.callbacks.append(lambda phase, _: collections.append(phase))
    import sympy
print(len(collections), gc.isenabled(), gc.get_freeze_count() > 100 * len(gc.get_objects()))
"""


def test_imported_objects_are_never_looked_through_for_garbage():
    command = [sys.executable, "-c", IMPORTS]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["0", "True", "True"]


@pytest.fixture
def thawed():
    """The objects of the other tests are looked through for garbage afterwards as before."""
    yield
    gc.unfreeze()


def test_garbage_is_collected_after_imports_that_fail(thawed):
    with pytest.raises(ImportError), without_garbage_collection():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_a_process_without_garbage_collection_stays_so(thawed):
    gc.disable()
    try:
        with without_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
