"""Finding an operator's form in an expression."""

from __future__ import annotations

from functools import cache

import sympy

from keras_symgrad.operators import SYMBOLS, Operator

_A = SYMBOLS[0]


def match(operator: Operator, expression: sympy.Expr) -> list[sympy.Expr] | None:
    """Finds arguments that make an operator equal to an expression.

    Args:
        operator: the operator.
        expression: a SymPy expression.

    Returns:
        Expressions, each simpler than the whole, with `operator(*arguments) == expression`; None
        if none were found.

    Example:

    >>> from keras_symgrad.operators import shipped
    >>> x = sympy.Symbol("x", real=True)
    >>> match(shipped("gauss"), sympy.exp(-4 * x**2))
    [2*x]
    """
    form = operator.expression
    if form.func != expression.func or not _functions(form) <= _functions(expression):
        return None
    if sum(1 for node in sympy.preorder_traversal(form) if node == _A) == operator.arity == 1:
        solution = _solution(form, expression)
        arguments = [] if solution is None or solution.has(sympy.I) else [solution]
    else:
        wilds = [sympy.Wild(argument.name) for argument in operator.arguments]
        pattern = form.subs(dict(zip(operator.arguments, wilds)), simultaneous=True)
        found = expression.match(pattern) or {}
        arguments = [found[wild] for wild in wilds if wild in found]
        if len(arguments) != len(wilds) or operator(*arguments) != expression:
            return None
    # A match may be true and useless: log(1 + x) is softplus(log(x)) where x is positive.
    size, functions = _size(expression), _functions(expression)
    for argument in arguments:
        if _size(argument) >= size or not _functions(argument) <= functions:
            return None
    return arguments or None


@cache
def affine_form(operator: Operator) -> tuple | None:
    """Takes an operator of the form p F(q a + r) + s apart.

    Args:
        operator: the operator.

    Returns:
        The function F and the numbers p, q, r, s; None if the operator is not of this form.

    Example:

    >>> from keras_symgrad.operators import shipped
    >>> affine_form(shipped("sigmoid"))
    (tanh, 1/2, 1/2, 0, 1/2)
    """
    functions = operator.expression.atoms(sympy.Function)
    if operator.arity != 1 or len(functions) != 1:
        return None
    (function,) = functions
    value = sympy.Dummy()
    outer = operator.expression.subs(function, value)
    if outer.free_symbols != {value} or len(function.args) != 1:
        return None
    if not (outer.is_polynomial(value) and function.args[0].is_polynomial(_A)):
        return None
    outer, inner = sympy.Poly(outer, value), sympy.Poly(function.args[0], _A)
    if outer.degree() != 1 or inner.degree() != 1:
        return None
    p, s = outer.all_coeffs()
    q, r = inner.all_coeffs()
    return (function.func, p, q, r, s)


def without_signs(expression: sympy.Expr) -> sympy.Expr:
    """A product with |u| replaced by u among its factors.

    Args:
        expression: a SymPy expression.

    Returns:
        An expression with the same absolute value.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> without_signs(2 * sympy.Abs(x * y))
    2*x*y
    """
    factors = sympy.Mul.make_args(expression)
    return sympy.Mul(*(f.args[0] if isinstance(f, sympy.Abs) else f for f in factors))


def _solution(form: sympy.Expr, expression: sympy.Expr) -> sympy.Expr | None:
    """The a that solves form(a) = expression, where `a` occurs once in the form; or None."""
    while form != _A:
        if form.is_Add:
            constant, form = form.as_independent(_A, as_Add=True)
            expression = expression - constant
        elif form.is_Mul:
            constant, form = form.as_independent(_A, as_Add=False)
            expression = expression / constant
        elif form.is_Pow and form.exp.is_Rational:
            # Either root will do under an even power, so |u| is as good as u.
            root = expression ** (1 / form.exp)
            form, expression = form.base, without_signs(sympy.powdenest(root))
        elif form.func == expression.func and len(form.args) == 1:
            form, expression = form.args[0], expression.args[0]
        elif form.func == expression.func and form.func in (sympy.Max, sympy.Min):
            constants = {part for part in form.args if not part.has(_A)}
            if not constants < set(expression.args):
                return None
            (form,) = set(form.args) - constants
            expression = expression.func(*set(expression.args) - constants)
        else:
            return None
    return expression


def _functions(expression: sympy.Expr) -> set:
    """Functions and roots that an expression is made of."""
    powers = [power for power in expression.atoms(sympy.Pow) if power.free_symbols]
    roots = {"root" for power in powers if not power.exp.is_Integer}
    return {function.func for function in expression.atoms(sympy.Function)} | roots


def _size(expression: sympy.Expr) -> int:
    return sum(1 for _ in sympy.preorder_traversal(expression))
