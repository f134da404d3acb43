"""The checks of HDF5 files, each in a fork of one process that has imported HDF5.

    python -P hdf5_forks.py PROGRAM

`Forks` takes the place of `subprocess` in `keras_symgrad.files.checks.hdf5`. The same program reads
the file, with the same limits and the same answer; only the start and the end of Python and the
imports, some tenths of a second for each file, are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired


class Forks:
    """The part of `subprocess` that the check uses, with a process that forks for each command.

    Args:
        program: the checking program.
    """

    TimeoutExpired = TimeoutExpired

    def __init__(self, program: Path):
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, command: list[str], **_: object) -> CompletedProcess:
        """Run the program with the arguments of a command, after `python -P PROGRAM`.

        Args:
            command: as for `subprocess.run`. Its limit by the clock is left to the fuzzer.

        Returns:
            Its status and standard error.
        """
        sent, answered = self._process.stdin, self._process.stdout
        assert sent is not None and answered is not None
        print(json.dumps(command[3:]), file=sent, flush=True)
        answer = answered.readline()
        if not answer:
            raise RuntimeError("the process that forks has ended")
        status, said = json.loads(answer)
        return CompletedProcess(command, status, b"", os.fsencode(said))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def main(path: str) -> None:
    """Fork for each line of standard input, and print the status and the standard error."""
    spec = spec_from_file_location("hdf5_process", path)
    assert spec is not None and spec.loader is not None
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(writing, sys.stderr.fileno())
            try:
                program.main(*json.loads(line))
            except SystemExit as refused:
                print(refused, file=sys.stderr, flush=True)
                os._exit(1)
            # The end of an interpreter takes longer than the reading.
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as errors:
            said = os.fsdecode(errors.read())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps([status, said]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
