#!/usr/bin/env python3
"""Read many invalid texts and files, and report forbidden behaviour.

    scripts/fuzz/fuzz.py --target NAME --runs N [--seconds-each S] [--seed N] [--json FILE]

Reading must end in a result or in one of the errors that are promised, of one line; within the
seconds of processor time; and nothing may be run, written, connected or imported meanwhile, which a
canary records. Any other behaviour is a finding, with the bytes that repeat it.

Inputs are guided by the code that they reach, by Atheris (`pip install keras-symgrad[fuzz]`);
without it they are drawn by Hypothesis, or at random for models, whose reading may crash the
process and has one of its own.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

HERE = Path(__file__).parents[1]
NAMES = ("expression", "result", "state", "table", "model")
# Targets whose reading may crash the process, which leaves the input that it read then.
ALONE = ("model",)
# Runs after which the tally of the other targets is written again.
RUNS_OF_A_TALLY = 1000
MOST_MEMORY = 6 * 2**30
# Seconds by the clock after which a process counts as hanging, whatever the machine's load is.
HANGING = 30
# Above any limit: libFuzzer reports no input as slow.
SLOW_BY_CLOCK_SECONDS = 10**6
# Runs after which a new process takes over, with a corpus that begins anew.
MOST_OF_A_PROCESS = 50_000
# An input is no longer than that.
MOST_BYTES = 4096
# Findings that are kept of each kind.
MOST_ALIKE = 3


@dataclass
class Tally:
    """Counts and findings of the runs.

    Attributes:
        runs: inputs that were read.
        accepted: those that gave a result.
        refused: those that gave a promised error.
        slowest: seconds of processor time of the slowest one.
        seconds: by the clock, of all.
        findings: what should not have happened, by kind and place.
    """

    runs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    findings: list[dict] = field(default_factory=list)

    def find(self, kind: str, what: str, data: bytes) -> None:
        """Record a finding, unless there are several like it."""
        alike = [f for f in self.findings if (f["kind"], f["what"][:40]) == (kind, what[:40])]
        if len(alike) < MOST_ALIKE:
            self.findings.append(
                {"kind": kind, "what": what, "base64": base64.b64encode(data).decode()}
            )


class Reader:
    """Reader of one target's inputs, with the tally.

    Args:
        name: of the target.
        folder: for the files that it reads.
        limit: seconds of processor time for each input.
    """

    def __init__(self, name: str, folder: Path, limit: float):
        import canary
        import fuzz_targets

        self.target = fuzz_targets.TARGETS[name](folder)
        self.tally, self.limit = Tally(), limit
        self._refusals, self._choices = fuzz_targets.REFUSALS, fuzz_targets.Choices
        self._longest = fuzz_targets.LONGEST_MESSAGE
        self._canary = canary.Canary(folder, folder)
        for seed in self.target.seeds:
            # What is imported, compiled and cached on first use is no act of an input.
            with contextlib.suppress(Exception):
                self.target.use(self.target.read(self.target.make(self._choices(seed))))

    def read(self, data: bytes) -> None:
        """Read one input, with any outcome."""
        tally = self.tally
        tally.runs += 1
        made = self.target.make(self._choices(data))
        error = result = None
        start = time.process_time()
        with self._canary.watching() as acts:
            try:
                result = self.target.read(made)
            except BaseException as raised:
                error = raised
        took = time.process_time() - start
        tally.slowest = max(tally.slowest, took)
        if error is None:
            tally.accepted += 1
            try:
                self.target.use(result)
            except BaseException as raised:
                tally.find("use", _described(raised), data)
        elif isinstance(error, self._refusals):
            tally.refused += 1
            message = str(error)
            if len(message.splitlines()) != 1 or len(message) > self._longest:
                tally.find("message", f"{_place(error)}: {message[:300]!r}", data)
        else:
            tally.find("error", _described(error), data)
        if acts:
            tally.find("act", "; ".join(acts)[:500], data)
        if took > self.limit:
            tally.find("slow", f"{took:.2f} s: {str(made)[:300]}", data)


def _described(error: BaseException) -> str:
    return f"{_place(error)}: {type(error).__name__}: {str(error)[:300]}"


def _place(error: BaseException) -> str:
    """The last line of the project's own code that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "keras_symgrad" in f.filename] or frames[-1:]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "nowhere"


def guided(name: str, runs: int, limit: float, seed: int, folder: Path) -> None:
    """Read inputs from Atheris, in this process, which then ends."""
    import atheris

    _limit_memory()
    with atheris.instrument_imports(include=["keras_symgrad"]):
        reader = Reader(name, folder, limit)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(reader.target.seeds):
        (corpus / str(number)).write_bytes(content)
    words = folder / "words"
    quoted = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in reader.target.words)
    words.write_text("".join(f'"{word}"\n' for word in quoted))
    every = 1 if name in ALONE else RUNS_OF_A_TALLY
    start = time.monotonic()

    def one(data: bytes) -> None:
        if name in ALONE:
            (folder / "present").write_bytes(data)
        reader.read(data)
        if reader.tally.runs >= runs or reader.tally.runs % every == 0:
            reader.tally.seconds = time.monotonic() - start
            (folder / "tally.json").write_text(json.dumps(asdict(reader.tally)))
        if reader.tally.runs >= runs:
            os._exit(0)

    options = [f"-seed={seed + 1}", f"-max_len={MOST_BYTES}", f"-timeout={HANGING}"]
    options += ["-rss_limit_mb=6000", f"-artifact_prefix={folder}/died-"]
    # By the clock an input is slow whenever the machine is busy; `Reader` counts processor time.
    options += [f"-report_slow_units={SLOW_BY_CLOCK_SECONDS}"]
    options += [f"-dict={words}"] if reader.target.words else []
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def _limit_memory() -> None:
    """Limit the memory: an input that asks for more is a finding, and ends no other process."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))


def at_random(name: str, runs: int, limit: float, seed: int, folder: Path) -> None:
    """Read random inputs in this process, which may die: the present one is in a file."""
    from random import Random

    _limit_memory()
    reader = Reader(name, folder, limit)
    random, start = Random(seed), time.monotonic()
    while reader.tally.runs < runs:
        data = random.randbytes(random.choice((20, 60, 400)))
        (folder / "present").write_bytes(data)
        reader.read(data)
        reader.tally.seconds = time.monotonic() - start
        (folder / "tally.json").write_text(json.dumps(asdict(reader.tally)))


def drawn(name: str, runs: int, limit: float, seed: int, folder: Path) -> Tally:
    """Read inputs from Hypothesis, in this process."""
    import hypothesis
    from hypothesis import strategies

    reader = Reader(name, folder, limit)
    start = time.monotonic()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=runs,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategies.binary(max_size=MOST_BYTES))
    def one(data: bytes) -> None:
        reader.read(data)

    for seed_input in reader.target.seeds:
        reader.read(seed_input)
    one()
    reader.tally.seconds = time.monotonic() - start
    return reader.tally


def in_a_process(
    name: str, runs: int, limit: float, seed: int, keep: Callable[[Tally], None]
) -> Tally:
    """Run in a process that may die; the remaining runs go to another one, as do many runs.

    The tally is kept after each process.
    """
    whole = Tally()
    while whole.runs < runs:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
            folder = Path(temporary)
            command = [sys.executable, __file__, "--target", name, "--runs"]
            command += [str(min(runs - whole.runs, MOST_OF_A_PROCESS))]
            command += ["--seconds-each", str(limit), "--seed", str(seed), "--inside", temporary]
            with (folder / "said").open("wb") as said:
                process = subprocess.Popen(command, stderr=said, env=_apart(folder))
                _watch(process, folder / "present")
            whole = _together(whole, _told(folder, process.returncode))
        keep(whole)
        seed += 1
    return whole


def _told(folder: Path, status: int) -> Tally:
    """The tally that a process left in its folder, with the input that it died of, if it did."""
    tally, said = folder / "tally.json", (folder / "said").read_text(errors="replace")
    died = [*folder.glob("died-*")] or [*(folder.glob("present") if status else ())]
    if not tally.exists() and not died:
        sys.exit(f"fuzz: error: the fuzzer did not start: {said[-2000:]}")
    told = Tally(**json.loads(tally.read_text())) if tally.exists() else Tally()
    for artifact in died:
        told.runs += 1
        told.find("died", f"status {status}: {said[-600:]}", artifact.read_bytes())
    if status and not died:
        # Killed, as the system does when memory is short.
        told.find("died", f"status {status}, of an unknown input: {said[-600:]}", b"")
    return told


def _watch(process: subprocess.Popen, present: Path) -> None:
    """Wait for a process, and end it if it has read the same input for too long."""
    while process.poll() is None:
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            if time.time() - present.stat().st_mtime > HANGING:
                process.kill()


def _apart(folder: Path) -> dict[str, str]:
    """The environment with a separate folder for temporary files."""
    return {**os.environ, "TMPDIR": str(folder)}


def _together(one: Tally, other: Tally) -> Tally:
    return Tally(
        one.runs + other.runs,
        one.accepted + other.accepted,
        one.refused + other.refused,
        max(one.slowest, other.slowest),
        one.seconds + other.seconds,
        one.findings + other.findings,
    )


def has_atheris() -> bool:
    """Return whether inputs can be guided by coverage."""
    from importlib.util import find_spec

    return find_spec("atheris") is not None


def run(
    name: str, runs: int, limit: float, seed: int, keep: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """All runs of one target; `keep` is called with the tally at intervals."""
    if has_atheris() or name in ALONE:
        return in_a_process(name, runs, limit, seed, keep)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        tempfile.tempdir = folder
        return drawn(name, runs, limit, seed, Path(folder))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--target", choices=NAMES, required=True)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds-each", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    asked = options.target, options.runs, options.seconds_each, options.seed
    if options.inside:
        inside = guided if has_atheris() else at_random
        inside(*asked, options.inside)
        return 0

    def keep(tally: Tally) -> None:
        if options.json:
            content = {"target": options.target, **asdict(tally)}
            options.json.write_text(json.dumps(content, indent=2))

    tally = run(*asked, keep)
    keep(tally)
    how = "guided by coverage" if has_atheris() else "drawn at random"
    print(
        f"{options.target}: {tally.runs:,} inputs, {how}, {tally.seconds:.0f} s: "
        f"{tally.accepted:,} read, {tally.refused:,} refused, slowest {tally.slowest:.2f} s, "
        f"{len(tally.findings)} findings"
    )
    for found in tally.findings:
        print(f"  {found['kind']}: {found['what']}")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
