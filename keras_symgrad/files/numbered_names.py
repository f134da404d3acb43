"""Ranges of names that count: `speed_39` to `speed_49` in the place of eleven names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

NUMBER = re.compile(r"\d+")
# Fewest consecutive names that are written as a range.
LEAST_RANGE = 3


def name_ranges(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Divide names into those that count on in one of their numbers, and all others alone.

    Args:
        names: each once.

    Returns:
        Groups, in the order of their first names; in a group the names ascend by one.

    Example:

    >>> name_ranges(["speed_2", "load_7", "speed_1", "speed_3", "load_9"])
    [('speed_1', 'speed_2', 'speed_3'), ('load_7',), ('load_9',)]
    """
    most = max((len(NUMBER.findall(name)) for name in names), default=0)
    every = [list(_ranges(names, place)) for place in range(most)] or [[(name,) for name in names]]
    found = min(every, key=len)
    order = {name: k for k, name in enumerate(names)}
    return sorted(found, key=lambda group: min(order[name] for name in group))


def listed_ranges(names: Sequence[str], most: int) -> str:
    """Names in one line, consecutive ones as a range, and the number of those that are left out.

    Args:
        names: each once.
        most: how many names and ranges are written.

    Example:

    >>> listed_ranges(["x_1_0", "x_2_0", "x_3_0", "age", "x_7_1"], most=2)
    'x_1_0 to x_3_0, age; 1 more'
    """
    groups = name_ranges(names)
    texts = [range_text(group) for group in groups[:most]]
    more = sum(map(len, groups[most:]))
    return ", ".join(texts) + (f"; {more:,} more" if more else "")


def range_text(group: Sequence[str]) -> str:
    """The first and the last name of a group, or its only one."""
    return group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}"


def _ranges(names: Sequence[str], place: int) -> Iterator[tuple[str, ...]]:
    """Ranges of names that differ in their number at a place alone."""
    alike: dict[tuple[str, ...], dict[int, str]] = {}
    for name in names:
        numbers = list(NUMBER.finditer(name))
        if place >= len(numbers):
            yield (name,)
            continue
        at = numbers[place]
        alike.setdefault((name[: at.start()], name[at.end() :]), {})[int(at[0])] = name
    for found in alike.values():
        run: list[str] = []
        for number in sorted(found):
            if run and number - 1 not in found:
                yield from _range(run)
                run = []
            run.append(found[number])
        yield from _range(run)


def _range(run: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if len(run) >= LEAST_RANGE:
        yield tuple(run)
    else:
        yield from ((name,) for name in run)
