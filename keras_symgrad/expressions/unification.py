"""Unification: what must stand in the free places of a form to make it an expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy

# Free places, each with the symbols that may stand in it.
Free = Mapping[sympy.Symbol, frozenset[sympy.Symbol]]
Found = dict[sympy.Symbol, sympy.Expr]


def unify(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Found | None:
    """Fills the free places of a form so that it becomes an expression.

    It does so up to a factor and an added constant of the whole, which no direction of a gradient
    shows. Where several places could take a term, the one of fewest symbols gets it.

    Args:
        form: an expression with free places, each of them once.
        expression: what it shall be.
        free: the symbols that stand for free places, each with those that it may hold.

    Returns:
        Expressions by free place; `None` if none were found.

    Example:

    >>> f, g, x, y = sympy.symbols("f g x y", real=True)
    >>> free = {f: frozenset([x]), g: frozenset([x, y])}
    >>> unify(f * sympy.exp(g), 3 * x**2 * sympy.exp(x / y) - 1, free)
    {g: x/y, f: x**2}
    >>> unify(f + sympy.sin(g), x + y, free)
    """
    for way in dict.fromkeys(_ways(form, expression, free)):
        for found in _solutions(form, way, free):
            return found
    return None


def _ways(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Iterator[sympy.Expr]:
    """The expression in other words, with each factor that may make it the form."""
    patterns = [term.as_coeff_Mul() for term in sympy.Add.make_args(form) if term not in free]
    rewritings = (sympy.expand, sympy.powsimp, sympy.factor_terms)
    for way in dict.fromkeys((expression, *(rewrite(expression) for rewrite in rewritings))):
        terms = way.as_coeff_Add()[1].as_coefficients_dict()
        for wanted, pattern in patterns:
            for one, given in terms.items():
                if pattern.func == one.func or pattern.is_Mul:
                    # Exactly the number that is wanted: 0.3/0.3 is a float, and 1 is none.
                    yield sympy.Add(
                        *(
                            (wanted if term is one else number * wanted / given) * term
                            for term, number in terms.items()
                        )
                    )
        yield sympy.Add(*(number * term for term, number in terms.items()))


def _solutions(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Iterator[Found]:
    """All ways to fill a form so that it is exactly the expression."""
    if form in free:
        if expression.free_symbols <= free[form]:
            yield {form: expression}
    elif not form.free_symbols & free.keys():
        # A number that is not whole is a constant, and another may be in its place.
        if form == expression or (form.is_Float and expression.is_number):
            yield {}
    elif form.is_Pow and form.exp == -1:
        yield from _solutions(form.base, 1 / expression, free)
    elif form.is_Add or form.is_Mul:
        yield from _of_parts(form, expression, free)
    elif form.func == expression.func and len(form.args) == len(expression.args):
        yield from _of_arguments(form.args, expression.args, free)


def _of_arguments(
    forms: tuple[sympy.Expr, ...], arguments: tuple[sympy.Expr, ...], free: Free
) -> Iterator[Found]:
    if not forms:
        yield {}
        return
    for first in _solutions(forms[0], arguments[0], free):
        for others in _of_arguments(forms[1:], arguments[1:], free):
            yield first | others


def _of_parts(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Iterator[Found]:
    """Of a sum or a product, whose parts may stand in any order."""
    kind = form.func
    if form.is_Mul:
        expression = sympy.expand_power_base(expression)
    forms = kind.make_args(form)
    fixed = [part for part in forms if part not in free]
    places = sorted((part for part in forms if part in free), key=lambda p: (len(free[p]), p.name))
    for found, left in _fixed(fixed, list(kind.make_args(expression)), kind, free):
        taken: dict[sympy.Symbol, list[sympy.Expr]] = {place: [] for place in places}
        for part in left:
            place = next((p for p in places if part.free_symbols <= free[p]), None)
            if place is None:
                break
            taken[place].append(part)
        else:
            yield found | {place: kind(*parts) for place, parts in taken.items()}


def _fixed(
    forms: list[sympy.Expr], parts: list[sympy.Expr], kind: type, free: Free
) -> Iterator[tuple[Found, list[sympy.Expr]]]:
    """All ways to find the fixed parts of a form, with the parts that are left over."""
    if not forms:
        yield {}, [part for part in parts if part != kind.identity]
        return
    first, *others = forms
    # A factor of 1 is not written.
    candidates = [*parts, sympy.S.One] if first.is_Float and kind is sympy.Mul else parts
    for k, part in enumerate(candidates):
        for found in _solutions(first, part, free):
            for more, left in _fixed(others, parts[:k] + parts[k + 1 :], kind, free):
                yield found | more, left
