"""Safety checks for untrusted HDF5 files, in a separate process.

A damaged file can send the HDF5 library into a loop that no signal and no Python exception
interrupts, crash it, or make it read other files of the machine.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from keras_symgrad.files.checks.zip_archives import HARMLESS_BYTES, MAX_ZIP_RATIO

CHECKER_PROGRAM = Path(__file__).with_name("hdf5_process.py")
# Seconds of processor time for any file, where a small one takes milliseconds, and the number of
# bytes for each further second.
MIN_PROCESSOR_SECONDS = 1.0
BYTES_PER_PROCESSOR_SECOND = 50 * 10**6
# Largest ratio of elapsed time to processor time, start-up included. A timer of the process counts
# its processor time, which a busy machine does not change; without one the clock has to do.
MAX_WALL_TIME_RATIO = 600 if hasattr(signal, "setitimer") else 30


def check_hdf5_content(path: Path) -> None:
    """Raise unless an HDF5 file, or each one in a `.keras` archive, can be read completely.

    Args:
        path: of the file.

    Raises:
        ValueError: it is damaged, takes longer than a second and one more for each 50 MB, holds far
            more than its size, or refers to other files.
    """
    size = path.stat().st_size
    seconds = MIN_PROCESSOR_SECONDS + size / BYTES_PER_PROCESSOR_SECOND
    most = max(HARMLESS_BYTES, MAX_ZIP_RATIO * size)
    # -P: nothing is imported from the package's folder.
    # A program that embeds Python may have no interpreter to name.
    command = [sys.executable or "", "-P", str(CHECKER_PROGRAM), str(path), str(seconds), str(most)]
    elapsed = MAX_WALL_TIME_RATIO * seconds
    try:
        done = subprocess.run(command, input=b"", capture_output=True, timeout=elapsed)
    except subprocess.TimeoutExpired:
        raise ValueError(f"Reading it takes longer than {elapsed:.0f} s by the clock.") from None
    except OSError as error:
        raise ValueError(
            "HDF5 is read first in a process of its own, which cannot be started: "
            f"{error.strerror}: {sys.executable!r}. Load the model in a Python that may start one."
        ) from error
    if done.returncode == -getattr(signal, "SIGPROF", 0) != 0:
        raise ValueError(f"Reading it takes longer than {seconds:.0f} s of processor time.")
    if done.returncode == -getattr(signal, "SIGKILL", 0) != 0:
        raise ValueError(
            "The process that read it was killed, as the system does when memory is short."
        )
    if done.returncode < 0:
        raise ValueError(f"The HDF5 library crashes on it (signal {-done.returncode}).")
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
