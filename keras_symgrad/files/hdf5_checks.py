"""Safety checks for untrusted HDF5 files, in a process of their own.

A damaged file can send the HDF5 library into a loop that no signal and no exception of Python gets
out of, crash it, or name other files on the machine whose content it is to read.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from keras_symgrad.files.zip_checks import HARMLESS_BYTES, MAX_ZIP_RATIO

CHECKER_PROGRAM = Path(__file__).with_name("hdf5_process.py")
# Seconds of processor time for any file, where a small one takes milliseconds, and how many bytes
# more take one second more.
MIN_PROCESSOR_SECONDS = 1.0
BYTES_PER_PROCESSOR_SECOND = 50 * 10**6
# How much longer than by a processor's time it may take by the clock, its start included.
MAX_WALL_TIME_RATIO = 30


def check_hdf5_content(path: Path) -> None:
    """Raises unless all that an HDF5 file holds, or those in a `.keras` archive, can be read.

    Args:
        path: of the file.

    Raises:
        ValueError: it is damaged, takes longer than a second and one more for each 50 MB, holds
            far more than its size, or refers to other files.
    """
    size = path.stat().st_size
    seconds = MIN_PROCESSOR_SECONDS + size / BYTES_PER_PROCESSOR_SECOND
    most = max(HARMLESS_BYTES, MAX_ZIP_RATIO * size)
    # -P: the package's folder is none to import from.
    command = [sys.executable, "-P", str(CHECKER_PROGRAM), str(path), str(seconds), str(most)]
    late = ValueError(f"Reading it takes longer than {seconds:.0f} s.")
    try:
        done = subprocess.run(
            command, input=b"", capture_output=True, timeout=MAX_WALL_TIME_RATIO * seconds
        )
    except subprocess.TimeoutExpired:
        raise late from None
    if done.returncode == -getattr(signal, "SIGPROF", 0) != 0:
        raise late
    if done.returncode < 0:
        raise ValueError(f"The HDF5 library crashes on it (signal {-done.returncode}).")
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
