"""Names of search strategies. Each has its module in this folder, with its `STRATEGY`.

A strategy is imported when it is used: the command line needs the names alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from keras_symgrad.search.islands import Strategy

METHODS = (
    "dictionary",
    "features",
    "trees",
)


def check_methods(methods: str | Strategy | Iterable[str | Strategy]) -> tuple[str | Strategy, ...]:
    """Check search methods.

    Args:
        methods: one or several, by name or as objects.

    Returns:
        The methods; those of this folder by name.

    Raises:
        ValueError: `methods` is empty, a name is unknown or belongs to several objects.

    Example:

    >>> check_methods("trees")
    ('trees',)
    """
    chosen = (methods,) if isinstance(methods, (str, Strategy)) else tuple(methods)
    if not chosen or not all(isinstance(one, Strategy) or one in METHODS for one in chosen):
        raise ValueError(
            f"`methods` are ways to search: one or more of {', '.join(map(repr, METHODS))}, or "
            f"objects derived from `Strategy`. Received: methods={methods!r}"
        )
    named = [one if isinstance(one, str) else _by_name(one) for one in chosen]
    names = [one if isinstance(one, str) else one.name for one in dict.fromkeys(named)]
    if len(names) > len(set(names)):
        raise ValueError(
            "Each of `methods` needs a name of its own, under which its state is saved. "
            f"Received: methods={methods!r}"
        )
    return tuple(named)


def strategies_of(methods: str | Strategy | Iterable[str | Strategy]) -> tuple[Strategy, ...]:
    """The strategies of some methods.

    Args:
        methods: one or several, by name or as objects.

    Returns:
        Each strategy once, in the order of `methods`.

    Raises:
        ValueError: `methods` is empty, a name is unknown or belongs to several objects.

    Example:

    >>> [type(one).__name__ for one in strategies_of(["dictionary", "trees"])]
    ['Dictionary', 'Trees']
    """
    chosen = dict.fromkeys(check_methods(methods))
    return tuple(one if isinstance(one, Strategy) else _named(one) for one in chosen)


def _named(name: str) -> Strategy:
    strategy: Strategy = import_module(f"{__package__}.{name}").STRATEGY
    return strategy


def _by_name(strategy: Strategy) -> str | Strategy:
    """The name of a strategy of this folder; another one as it is."""
    name = strategy.name
    return name if name in METHODS and _named(name) == strategy else strategy
