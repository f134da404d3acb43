"""Kill a search at random moments, resume it, and compare its final result.

    python scripts/soak/check_resume.py --kills 20 --seed 1 --json resume.json

One search runs to its end undisturbed. Another one, of the same network and seed, is killed by
SIGKILL again and again, and resumed from the file of its `Checkpoint` each time, until it has been
killed as often as asked for and has ended. Then it begins anew. After each kill the file must be
readable and the archive no worse than in the file before; at the end both must have found the same
front, to the last digit.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from keras_symgrad.files import write_json

MODELS = Path(__file__).parents[2] / "examples" / "models"
# A user's command, except for the numbers.
SCRIPT = """
import sys
import keras_symgrad as ks
from keras_symgrad.callbacks import Checkpoint

model, data, kept, result, generations, seed, workers = sys.argv[1:]
resume = kept if __import__("os").path.exists(kept) else None
concept = ks.interpret(
    model,
    data,
    operators="default",
    search=ks.Search(
        effort="thorough",
        stopping=ks.Stopping(None, generations=int(generations), patience=None, target_loss=None),
        resume=resume,
        executor="processes" if int(workers) else None,
        workers=int(workers) or 2,
    ),
    callbacks=[Checkpoint(kept, every=0)],
    seed=int(seed),
    verbose=False,
)
concept.save(result)
"""


def command(options: argparse.Namespace, folder: Path, name: str) -> list[str]:
    """The command of a search with a checkpoint."""
    files = (MODELS / f"{options.model}.keras", MODELS / f"{options.model}.csv")
    kept, result = folder / f"{name}.kept", folder / f"{name}.json"
    numbers = (options.generations, options.seed, options.workers)
    return [sys.executable, "-c", SCRIPT, *map(str, (*files, kept, result, *numbers))]


def archive_of(path: Path) -> dict[float, float]:
    """Lowest loss by complexity in a checkpoint; raises if it cannot be read."""
    best: dict[float, float] = {}
    # After a kill during the dictionary search the file has no state.
    state = json.loads(path.read_text("utf-8"))["state"] or {"islands": []}
    for island in state["islands"]:
        for _, complexity, _, loss in island["collector"]["archive"]:
            best[complexity] = min(loss, best.get(complexity, loss))
    return best


def front_of(path: Path) -> list[tuple]:
    """The final front of a search."""
    rows = json.loads(path.read_text("utf-8"))["front"]
    return [(row["complexity"], row["loss"], row["expression"]) for row in rows]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--model", default="E", help="of examples/models")
    parser.add_argument("--generations", type=int, default=60)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for threads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/check_resume"))
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for path in options.folder.iterdir():
        path.unlink()

    start = time.monotonic()
    subprocess.run(command(options, options.folder, "whole"), check=True)
    lasted = time.monotonic() - start
    print(f"undisturbed: {lasted:.0f} s")
    truth, chosen = front_of(options.folder / "whole.json"), random.Random(options.seed)
    kept, result = options.folder / "killed.kept", options.folder / "killed.json"
    rows, before, kills = [], {}, 0
    while kills < options.kills or kept.exists():
        process = subprocess.Popen(command(options, options.folder, "killed"))
        # The moment is any of a run, those before the first file is written among them.
        moment = chosen.uniform(0.1, 0.9) * lasted if kills < options.kills else None
        try:
            status = process.wait(moment)
        except subprocess.TimeoutExpired:
            kills += 1
            process.send_signal(signal.SIGKILL)
            process.wait()
            now = archive_of(kept) if kept.exists() else {}
            behind = [c for c, loss in before.items() if now.get(c, float("inf")) > loss]
            rows.append({"seconds": moment, "kept": len(now), "behind": behind})
            before = now
            continue
        if status:
            raise SystemExit(f"a resumed search ended with status {status}")
        same = front_of(result) == truth
        # The archive, before SymPy and time limits change its spelling.
        as_found = archive_of(kept) == archive_of(options.folder / "whole.kept")
        rows.append({"seconds": None, "kept": len(archive_of(kept)), "same": same})
        rows[-1]["same_archive"] = as_found
        before = {}
        kept.unlink()

    table = Table("killed after", "complexities kept", "verdict")
    for row in rows:
        ended = row["seconds"] is None
        verdict = ("same front" if row["same"] else "ANOTHER FRONT") if ended else ""
        if ended and not row["same_archive"]:
            verdict += ", ANOTHER ARCHIVE"
        table.add_row(
            "(ended)" if ended else f"{row['seconds']:.1f} s",
            str(row["kept"]),
            verdict or ("behind" if row["behind"] else "readable, not behind"),
        )
    Console().print(table)
    good = all(
        row.get("same", True) and row.get("same_archive", True) and not row.get("behind")
        for row in rows
    )
    if options.json:
        write_json(options.json, {"rows": rows}, "The table")
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
