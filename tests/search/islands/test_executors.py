"""Workers of islands."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import loky
import psutil
import pytest

from keras_symgrad.search.islands import Workers
from keras_symgrad.search.islands.executors import GROUP_SIGNALS

SEARCH = """
import os, time
from keras_symgrad.search.islands import Workers

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


def refuse(*_, **__):
    raise OSError(errno.EROFS, "Read-only file system")


def interrupted_by_itself() -> bool:
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return True
    return False


def test_signals_to_a_whole_group_end_no_worker_process():
    sent = {getattr(signal, name) for name in GROUP_SIGNALS}
    blocked_here = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    # A tracker of resources that other code started before is not protected.
    older = psutil.Process().children(recursive=True)
    with Workers("processes", 1) as workers:
        assert workers.submit(interrupted_by_itself).result(timeout=100) is False
        assert sent <= workers.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
        number = workers.submit(os.getpid).result()
        children = set(psutil.Process().children(recursive=True)) - set(older)
        assert len(children) > 1 or older, "trackers of resources belong to the group as well"
        for child in children:
            for one in sent:
                child.send_signal(one)
        assert workers.submit(os.getpid).result(timeout=100) == number
        assert not any(map(_gone, children))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked_here


def test_ctrl_c_while_workers_are_started_is_handled_here_afterwards(monkeypatch):
    class Pressing(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            signal.raise_signal(signal.SIGINT)
            submitted.append(function)
            return super().submit(function, *arguments)

    submitted = []
    monkeypatch.setattr(Workers, "_made", lambda self: Pressing(1))
    monkeypatch.setattr(Workers, "_close", lambda self: self._executor.shutdown())
    with Workers("processes", 1) as workers, pytest.raises(KeyboardInterrupt):
        workers.submit(abs, -1)
    assert submitted == [abs]


def test_threads_take_the_place_of_processes_that_cannot_be_started(monkeypatch):
    monkeypatch.setattr(loky, "ProcessPoolExecutor", refuse)
    with Workers("processes", 1) as workers:
        with pytest.warns(UserWarning, match=r"cannot be started .*Read-only.*Threads"):
            number = workers.submit(os.getpid)
        assert number.result() == workers.submit(os.getpid).result() == os.getpid()
        assert workers.has_threads


def test_threads_take_the_place_of_lost_processes_that_cannot_be_started_again(monkeypatch):
    with Workers("processes", 1) as workers:
        number = workers.submit(os.getpid).result(timeout=100)
        monkeypatch.setattr(workers._executor, "submit", refuse)
        with pytest.warns(UserWarning, match="cannot be started"):
            assert workers.submit(os.getpid).result(timeout=100) == os.getpid() != number
    assert not psutil.pid_exists(number) or _gone(psutil.Process(number))


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
