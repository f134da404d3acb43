"""Settings of property tests: the same examples every time, and few enough for every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    # Files are written over, so that one folder does for all examples.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def one_line(error: BaseException) -> bool:
    """Return whether a message can be printed as one line, without control characters."""
    text = str(error)
    return len(text.splitlines()) == 1 and text.isprintable()
