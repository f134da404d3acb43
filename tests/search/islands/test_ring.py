"""Islands: the same front on any workers, and after the loss of workers."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor

import pytest

from keras_symgrad.callbacks import Checkpoint, LambdaCallback
from keras_symgrad.search.callbacks.checkpoint import SavedSearch
from keras_symgrad.search.core import GeneticSettings, Stopping
from keras_symgrad.search.islands import ring
from tests.search.searches import WITHOUT_TREES, generations, noisy_field, small_search, written

pytestmark = pytest.mark.slow

EPOCH = 2


@pytest.fixture(scope="module", autouse=True)
def short_epochs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring.IslandRing.__init__, "__defaults__", (EPOCH,))
        yield


@pytest.fixture(scope="module")
def by_threads():
    """The archive of three islands that threads of this process took two epochs far."""
    search = small_search(islands=3)
    search.run(generations(2 * EPOCH))
    return written(search)


@pytest.fixture(scope="module")
def features_by_threads():
    """The same by features alone, for which other processes compile nothing."""
    search = small_search(islands=3, methods="features")
    search.run(generations(2 * EPOCH))
    return written(search)


class Unruly(Executor):
    """Executor that runs at once and returns results late, in another order, and not all."""

    def __init__(self, losses: int = 0, error: Exception = RuntimeError("the machine is gone")):
        self.left, self.error = losses, error
        self.waiting: list[tuple[Future, object]] = []
        self.calls = 0

    def submit(self, function, *arguments):
        future = Future()
        self.calls += 1
        if function is ring.advance and self.left:
            self.left -= 1
            future.set_exception(self.error)
        elif function is ring.advance:
            self.waiting.append((future, function(*arguments)))
            # The last one comes back first.
            if len(self.waiting) == 2 or self.calls % 3 == 0:
                for done, result in reversed(self.waiting):
                    done.set_result(result)
                self.waiting.clear()
        else:
            future.set_result(None)
        return future


class Steady(Unruly):
    """Executor that runs everything at once, one after the other."""

    def submit(self, function, *arguments):
        future = super().submit(function, *arguments)
        for done, result in self.waiting:
            done.set_result(result)
        self.waiting.clear()
        return future


def test_the_order_in_which_islands_come_back_changes_nothing(by_threads):
    search = small_search(islands=3, executor=Unruly())
    search.run(generations(2 * EPOCH))
    assert written(search) == by_threads


def test_an_epoch_that_is_lost_is_repeated_and_changes_nothing(features_by_threads):
    search = small_search(islands=3, methods="features", executor=Steady(losses=2))
    with pytest.warns(UserWarning, match="An epoch of island . was lost.*the machine is gone"):
        search.run(generations(2 * EPOCH))
    assert search.repeated == 2
    assert written(search) == features_by_threads


def test_what_fails_again_and_again_ends_the_search_with_what_was_found():
    search = small_search(islands=2, executor=Steady(losses=100), methods=WITHOUT_TREES)
    with pytest.warns(UserWarning) as said:
        archive = search.run(generations(2 * EPOCH))
    assert search.stopped == "workers_lost" and len(archive)
    assert "failed 4 times" in str(said[-1].message)
    assert "ends with what was found" in str(said[-1].message)


def test_an_executor_that_is_broken_ends_the_search_with_what_was_found():
    broken = Steady(losses=100, error=BrokenExecutor("all killed"))
    search = small_search(islands=2, executor=broken, methods=WITHOUT_TREES)
    with pytest.warns(UserWarning) as said:
        archive = search.run(generations(2 * EPOCH))
    assert search.stopped == "workers_lost" and len(archive)
    assert "has lost its workers" in str(said[-1].message)


def test_threads_do_not_finish_an_epoch_that_is_not_needed_any_more(monkeypatch):
    monkeypatch.setattr(ring.IslandRing.__init__, "__defaults__", (10_000,))
    advance, begun, reached = ring.advance, [], []

    def watched(*arguments):
        begun.append(arguments)
        search.stop("enough")
        epoch = advance(*arguments)
        reached.append(epoch.generation)
        return epoch

    monkeypatch.setattr(ring, "advance", watched)
    search = small_search(islands=2, methods=WITHOUT_TREES)
    search.run(Stopping(None))
    assert search.stopped == "enough"
    while len(reached) < len(begun):
        time.sleep(0.01)
    assert begun and max(reached) < 10_000


class Closing(Steady):
    """Executor that is closed after some calls, as a pool that its owner shuts down."""

    def submit(self, function, *arguments):
        if self.calls >= 3:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return super().submit(function, *arguments)


def test_an_executor_that_is_closed_in_mid_search_ends_it_with_what_was_found():
    search = small_search(islands=2, executor=Closing(), methods="features")
    with pytest.warns(UserWarning) as said:
        archive = search.run(generations(20 * EPOCH))
    assert search.stopped == "workers_lost" and len(archive)
    assert [str(one.message) for one in said] == [
        "The executor has lost its workers: BrokenExecutor: RuntimeError: cannot schedule new "
        "futures after shutdown. The search ends with what was found."
    ]


class Cancelling(Steady):
    """Executor that cancels what it is given, as Dask does when its scheduler is gone."""

    def submit(self, function, *arguments):
        future = Future()
        future.cancel()
        return future


def test_epochs_that_are_cancelled_again_and_again_end_the_search():
    search = small_search(islands=2, executor=Cancelling(), methods="features")
    with pytest.warns(UserWarning) as said:
        search.run(generations(2 * EPOCH))
    assert search.stopped == "workers_lost"
    assert "failed 4 times, at last with: it was cancelled." in str(said[-1].message)


def test_islands_are_kept_and_resumed(features_by_threads, tmp_path):
    path = tmp_path / "islands.json"
    options = {"islands": 3, "methods": "features"}
    small_search(**options, executor=Unruly()).run(generations(EPOCH), [Checkpoint(path)])
    with ThreadPoolExecutor(1) as threads:
        search = small_search(**options, executor=threads)
        SavedSearch(path).restore(search)
        search.run(generations(2 * EPOCH))
        assert threads.submit(int, 3).result() == 3, "the user's executor is left open"
    assert written(search) == features_by_threads


def test_a_search_resumed_before_its_first_formula_goes_on_to_it_whatever_the_limit(tmp_path):
    class Interrupted(Executor):
        def submit(self, function, *arguments):
            signal.raise_signal(signal.SIGINT)
            return Future()

    few = {"field": noisy_field(rows=40), "settings": GeneticSettings(demes=2, population=8)}
    path, options = tmp_path / "islands.json", {"islands": 2, "methods": "features", **few}
    interrupted = small_search(executor=Interrupted(), **options)
    assert not len(interrupted.run(generations(EPOCH), [Checkpoint(path)]))
    assert interrupted.stopped == "interrupted"
    again = small_search(executor=Steady(), **options)
    SavedSearch(path).restore(again)
    assert len(again.run(Stopping(1e-6, target_loss=None)))
    assert again.stopped == "time_limit"


def test_an_island_begins_with_what_its_neighbour_had_found():
    class Recording(Steady):
        def __init__(self):
            super().__init__()
            self.epochs = []

        def submit(self, function, *arguments):
            future = super().submit(function, *arguments)
            if function is ring.advance:
                self.epochs.append((*arguments, future.result()))
            return future

    recording = Recording()
    small_search(islands=3, executor=recording).run(generations(2 * EPOCH))
    found = {}
    for _, _, before, migrants, index, _, after in recording.epochs:
        if json.loads(before)["generation"] == EPOCH:
            assert migrants == found[(index - 1) % 3, EPOCH]
        found[index, after.generation] = after.archive
        best = {complexity: loss for _, complexity, _, loss in after.archive}
        assert all(best[complexity] <= loss for _, complexity, _, loss in migrants)
    assert set(found) == {(index, g) for index in range(3) for g in (EPOCH, 2 * EPOCH)}


def test_processes_find_the_same_and_a_killed_one_costs_an_epoch(features_by_threads):
    killed = []

    def kill_one(generation, logs):
        if generation == EPOCH and not killed:
            killed.append(a_worker())
            os.kill(killed[0], signal.SIGKILL)

    # A process takes seconds to start: one at a time is killed and started again.
    search = small_search(islands=3, methods="features", executor="processes", workers=1)
    with pytest.warns(UserWarning, match="was lost with its worker and is repeated"):
        search.run(generations(2 * EPOCH), [LambdaCallback(on_generation_end=kill_one)])
    assert killed and search.repeated >= 1
    assert written(search) == features_by_threads


def test_a_dask_cluster_finds_the_same_though_its_worker_is_killed(features_by_threads):
    distributed = pytest.importorskip("distributed")
    killed = []

    def kill_one(generation, logs):
        if generation == EPOCH:
            killed.append(cluster.workers[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    # One worker, which its nanny starts again: each takes seconds to import TensorFlow.
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        search = small_search(executor=client.get_executor(), islands=3, methods="features")
        search.run(generations(2 * EPOCH), [LambdaCallback(on_generation_end=kill_one)])
    assert killed and search.stopped == "generations"
    assert written(search) == features_by_threads


def test_workers_that_fall_silent_are_named(monkeypatch):
    monkeypatch.setattr(ring, "SILENCE", 0)
    names = iter(["old", *(9 * ["new"])])
    monkeypatch.setattr(ring.socket, "gethostname", lambda: next(names))
    search = small_search(islands=1, executor=Steady(), methods="features")
    with pytest.warns(UserWarning, match=f"Lost contact with workers: old:{os.getpid()} "):
        search.run(generations(2 * EPOCH))


def a_worker() -> int:
    """Process number of a worker that is at work."""
    import psutil

    children = psutil.Process().children(recursive=True)
    # Workers of searches before this one may be ending.
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    busy = [child for child in alive if "loky" in " ".join(child.cmdline())]
    return max(busy, key=lambda child: child.cpu_times().user).pid


@pytest.mark.parametrize("executor", ["threads", 4, "dask"])
def test_what_is_no_executor_is_refused(executor):
    with pytest.raises(ValueError, match=f'"processes".*Received: executor={executor!r}'):
        small_search(executor=executor)


def test_ctrl_c_is_heard_while_islands_are_awaited():
    class Idle(Executor):
        def submit(self, function, *arguments):
            return Future()

    threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    search = small_search(islands=2, executor=Idle(), methods="trees")
    start = time.monotonic()
    search.run(generations(2 * EPOCH))
    assert search.stopped == "interrupted" and time.monotonic() - start < 30
