"""Workers of islands."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

SEARCH = """
import os, time
from keras_symgrad.search.islands.ring import Workers

def number(_):
    time.sleep(0.5)
    return os.getpid()

with Workers("processes", 2) as workers:
    jobs = [workers.submit(number, k) for k in range(4)]
    print(*{job.result() for job in jobs}, flush=True)
    {then}
"""


def _gone(process: psutil.Process) -> bool:
    # Whoever adopts them may not ask how they ended.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
@pytest.mark.parametrize("then", ["time.sleep(600)", "workers.submit(time.sleep, 600).result()"])
def test_worker_processes_end_with_a_search_that_is_killed(then):
    script = SEARCH.replace("{then}", then)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as search:
        workers = [psutil.Process(int(number)) for number in search.stdout.readline().split()]
        assert workers and not any(map(_gone, workers))
        search.kill()
    until = time.monotonic() + 60
    while not all(map(_gone, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert all(map(_gone, workers))
