"""From SymPy to trees: a formula written with nothing but the operators of a set."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy
from deap import gp

from keras_symgrad.expressions.complexity import is_small_integer
from keras_symgrad.expressions.matching import affine_form, match, without_signs
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.operators import SYMBOLS, Operator

# A tree in the making: prefix notation as `Alphabet.tree` reads it.
Nodes = tuple[str | int | float, ...]

_LARGEST_POWER = 64
_A, _B = SYMBOLS[:2]
# The arithmetic that sums, products and powers are written with, by its form and not its name.
_ARITHMETIC = {
    _A + _B: "add",
    _A - _B: "sub",
    _A * _B: "mul",
    _A / _B: "div",
    _A**_B: "pow",
    -_A: "neg",
    sympy.exp(_A): "exp",
    sympy.log(_A): "log",
    sympy.log(abs(_A)): "log_abs",
    sympy.Max(_A, _B): "max",
    sympy.Min(_A, _B): "min",
}


def from_sympy(expression: sympy.Expr, alphabet: Alphabet) -> gp.PrimitiveTree:
    """The tree of a SymPy expression over an operator set.

    Sums and products of many parts become chains of two; powers, reciprocals and negations are
    written with what the set has (`square`, `mul`, `inv`, `pow`, ...); an operator of any other
    form, a user's own included, is used where its expression is found. Of several ways the one
    of least complexity is taken. Numbers, pi and E become constants.

    Args:
        expression: an expression in symbols named like the alphabet's variables.
        alphabet: the operators and variables to write it with.

    Returns:
        A tree whose `to_sympy` equals the expression wherever both are defined.

    Raises:
        ValueError: the expression holds another symbol, a number that is not finite and real,
            or a function that cannot be written with the set.

    Example:

    >>> import sympy
    >>> from keras_symgrad.operators import Operator, OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, mul, square, gauss"), ["x1", "x2"])
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> str(from_sympy(sympy.exp(-(x1**2)) + 3 * x2**4, alphabet))
    'add(mul(3.0, square(square(x2))), gauss(x1))'
    """
    if not isinstance(expression, sympy.Expr):
        raise ValueError(
            "`from_sympy` expects a SymPy expression. "
            f"Received: {expression!r} (of type {type(expression).__name__})"
        )
    try:
        return alphabet.tree(_Writer(alphabet).nodes(expression))
    except _Unwritable as gap:
        raise ValueError(
            f"{gap} cannot be written with the operators {', '.join(alphabet.operators.names)}. "
            f"Add an operator for it to the set. Received: expression={expression}"
        ) from None
    except RecursionError:
        raise ValueError(
            "The expression is nested too deeply to be written as a tree. Simplify it first."
        ) from None


class _Unwritable(Exception):
    """The set has no way to write this part."""


class _Writer:
    """Writes expressions as nodes, remembering the parts it has met."""

    def __init__(self, alphabet: Alphabet):
        self.operators = alphabet.operators
        self.columns = {name: index for index, name in enumerate(alphabet.names)}
        self.written: dict[sympy.Expr, Nodes | _Unwritable] = {}
        self.arithmetic: dict[str, str] = {}
        self.powers: dict[sympy.Rational, str] = {}
        self.patterns: list[Operator] = []
        for operator in self.operators:
            base, power = operator.expression.as_base_exp()
            if operator.expression in _ARITHMETIC:
                self.arithmetic[_ARITHMETIC[operator.expression]] = operator.name
            elif base == _A and power.is_Rational and power != 1:
                self.powers[power] = operator.name
            else:
                self.patterns.append(operator)
        self.wrapped = {
            form[0]: (operator, *form[1:])
            for operator in self.patterns
            if (form := affine_form(operator)) is not None
        }

    def nodes(self, expression: sympy.Expr) -> Nodes:
        known = self.written.get(expression)
        if known is None:
            # Until it is written it counts as unwritable: no way may lead through itself.
            self.written[expression] = _Unwritable(_described(expression))
            try:
                known = self.cheapest(expression)
            except _Unwritable as gap:
                known = gap
            self.written[expression] = known
        if isinstance(known, _Unwritable):
            raise known
        return known

    def cheapest(self, expression: sympy.Expr) -> Nodes:
        if expression.is_Symbol:
            if expression.name not in self.columns:
                raise ValueError(
                    f"The expression holds '{expression.name}', which is not a variable. "
                    f"Variables: {', '.join(self.columns)}."
                )
            return (self.columns[expression.name],)
        if not expression.free_symbols:
            return (_finite(expression),)
        found: list[Nodes] = []
        gaps: list[_Unwritable] = []
        for way in self.ways(expression):
            try:
                found.append(way())
            except _Unwritable as gap:
                gaps.append(gap)
        if not found:
            raise gaps[0] if gaps else _Unwritable(_described(expression))
        return min(found, key=self.cost)

    def cost(self, nodes: Nodes) -> float:
        return sum(self.node_cost(node) for node in nodes)

    def node_cost(self, node: str | int | float) -> float:
        if isinstance(node, str):
            return self.operators[node].complexity
        return 3 if isinstance(node, float) and not is_small_integer(node) else 1

    def ways(self, expression: sympy.Expr) -> Iterator[Callable[[], Nodes]]:
        """Every way that might write the expression."""
        if type(expression) in _WRITTEN_BY:
            yield lambda: _WRITTEN_BY[type(expression)](self, expression)
        for operator in self.patterns:
            arguments = match(operator, expression)
            if arguments is not None:
                yield lambda o=operator, a=arguments: self.call(o.name, *map(self.nodes, a))
        if expression.func in self.wrapped:
            yield lambda: self.unwrapped(expression)

    def call(self, kind: str, *arguments: Nodes) -> Nodes:
        """An operator, by its form or else by its name, applied to nodes."""
        name = self.arithmetic.get(kind, kind)
        if name not in self.operators:
            raise _Unwritable(f"'{kind}'")
        return (name, *(node for argument in arguments for node in argument))

    def call_first(self, *calls: Callable[[], Nodes]) -> Nodes:
        for call in calls[:-1]:
            try:
                return call()
            except _Unwritable:
                pass
        return calls[-1]()

    # Sums.

    def sum(self, expression: sympy.Add) -> Nodes:
        terms = expression.as_ordered_terms()
        signs = [term.as_coeff_Mul()[0].is_negative for term in terms]
        first = signs.index(False) if False in signs else 0
        total = self.nodes(terms[first])
        for term, negative in [*zip(terms, signs)][:first] + [*zip(terms, signs)][first + 1 :]:
            total = self.subtracted(total, -term) if negative else self.added(total, term)
        return total

    def added(self, a: Nodes, term: sympy.Expr) -> Nodes:
        b = self.nodes(term)
        return self.call_first(
            lambda: self.call("add", a, b), lambda: self.call("sub", a, self.negated(b))
        )

    def subtracted(self, a: Nodes, term: sympy.Expr) -> Nodes:
        return self.call_first(
            lambda: self.call("sub", a, self.nodes(term)),
            lambda: self.call("add", a, self.nodes(-term)),
        )

    def negated(self, a: Nodes) -> Nodes:
        return self.call_first(
            lambda: self.call("neg", a),
            lambda: self.call("mul", (-1.0,), a),
            lambda: self.call("sub", (0.0,), a),
            lambda: self.call("div", a, (-1.0,)),
        )

    # Products.

    def product(self, expression: sympy.Mul) -> Nodes:
        factor, rest = expression.as_coeff_Mul()
        if factor == -1:
            return self.negated(self.nodes(rest))
        above, below = sympy.fraction(rest)
        parts = [self.nodes(part) for part in above.as_ordered_factors() if part != 1]
        divisors = []
        for part in below.as_ordered_factors():
            try:
                divisors += [self.nodes(part)] if part != 1 else []
            except _Unwritable:
                # A bell is exp(-a**2), and no operator need be exp(a**2).
                parts.append(self.nodes(1 / part))
        if isinstance(factor, sympy.Rational) and factor.p == 1 < factor.q and parts:
            divisors.insert(0, (float(factor.q),))  # x/3 keeps what 0.333 x would round
        elif factor != 1:
            parts.insert(0, (_finite(factor),))
        if not parts:
            return self.reciprocal(self.chained(divisors))
        product = self.chained(parts)
        return self.divided(product, self.chained(divisors)) if divisors else product

    def chained(self, parts: list[Nodes]) -> Nodes:
        total, *rest = parts
        for part in rest:
            total = self.call_first(
                lambda a=total, b=part: self.call("mul", a, b),
                lambda a=total, b=part: self.call("div", a, self.reciprocal(b)),
            )
        return total

    def divided(self, a: Nodes, b: Nodes) -> Nodes:
        if len(b) == 1 and isinstance(b[0], float) and "div" not in self.arithmetic:
            return self.call("mul", (1.0 / b[0],), a)
        return self.call_first(
            lambda: self.call("div", a, b), lambda: self.call("mul", a, self.reciprocal(b))
        )

    def reciprocal(self, a: Nodes) -> Nodes:
        inverse = self.powers.get(sympy.Integer(-1), "inv")
        return self.call_first(
            lambda: self.call(inverse, a),
            lambda: self.call("div", (1.0,), a),
            lambda: self.call("pow", a, (-1.0,)),
        )

    # Powers.

    def power(self, expression: sympy.Pow) -> Nodes:
        base, exponent = expression.args
        if exponent.is_Float and float(exponent).is_integer():
            exponent = sympy.Integer(int(exponent))
        if exponent.is_Rational and abs(exponent.p) <= _LARGEST_POWER >= exponent.q:
            nodes = self.rational_power(self.nodes(base), exponent, {})
            if nodes is not None:
                return nodes
        if base.is_number and base.is_positive and "pow" not in self.arithmetic:
            factor = sympy.Dummy(real=True)
            self.written[factor] = (float(sympy.log(base)),)
            return self.call("exp", self.nodes(exponent * factor))
        try:
            return self.call("pow", self.nodes(base), self.nodes(exponent))
        except _Unwritable:
            pass
        try:
            logarithm = sympy.Dummy(real=True)
            self.written[logarithm] = self.call("log", self.nodes(base))
            return self.call("exp", self.nodes(exponent * logarithm))
        except _Unwritable:
            raise _Unwritable(f"The power {expression}") from None

    def rational_power(self, base: Nodes, exponent: sympy.Rational, known: dict) -> Nodes | None:
        """The cheapest tree of base**exponent by the set's powers, `mul` and `pow`, or None."""
        if exponent == 1:
            return base
        if exponent not in known:
            known[exponent] = None  # no way may lead through itself
            ways = list(self.rational_ways(base, exponent, known))
            known[exponent] = min(ways, key=self.cost) if ways else None
        return known[exponent]

    def rational_ways(self, base: Nodes, exponent: sympy.Rational, known: dict) -> Iterator[Nodes]:
        if exponent in self.powers:
            yield (self.powers[exponent], *base)
        if "pow" in self.arithmetic:
            yield self.call("pow", base, (float(exponent),))
        if exponent < 0:
            positive = self.rational_power(base, -exponent, known)
            if positive is not None:
                try:
                    yield self.reciprocal(positive)
                except _Unwritable:
                    pass
        elif exponent.q > 1:
            # The root first: sqrt(a)**3, for sqrt(a**2) is |a| and not a.
            root = self.rational_power(base, sympy.Rational(1, exponent.q), known)
            if root is not None and exponent.p > 1:
                power = self.rational_power(root, sympy.Integer(exponent.p), {})
                if power is not None:
                    yield power
        else:
            for power in self.powers:
                if power.is_Integer and power > 1 and exponent % power == 0 and exponent != power:
                    inner = self.rational_power(base, exponent / power, known)
                    if inner is not None:
                        yield (self.powers[power], *inner)
            if "mul" in self.arithmetic:
                for part in (exponent // 2, exponent - 1):
                    halves = [self.rational_power(base, p, known) for p in (part, exponent - part)]
                    if None not in halves:
                        yield self.call("mul", *halves)

    # Functions whose form SymPy changes by itself, written in other words.

    def absolute(self, expression: sympy.Abs) -> Nodes:
        (argument,) = expression.args
        nodes = self.nodes(argument)
        square = self.rational_power(nodes, sympy.Integer(2), {})
        root = square and self.rational_power(square, sympy.Rational(1, 2), {})
        if root:
            return root
        try:
            return self.call("max", nodes, self.nodes(-argument))
        except _Unwritable:
            raise _Unwritable(_described(expression)) from None

    def sign(self, expression: sympy.sign) -> Nodes:
        (argument,) = expression.args
        return self.divided(self.nodes(argument), self.nodes(sympy.Abs(argument)))

    def tangent(self, expression: sympy.tan) -> Nodes:
        sine, cosine = (self.nodes(f(*expression.args)) for f in (sympy.sin, sympy.cos))
        return self.divided(sine, cosine)

    def logarithm(self, expression: sympy.log) -> Nodes:
        (argument,) = expression.args
        if "log" in self.arithmetic:
            return self.call("log", self.nodes(argument))
        if "log_abs" in self.arithmetic:
            return self.call("log_abs", self.nodes(without_signs(argument)))
        raise _Unwritable("The function 'log'")

    def exponential(self, expression: sympy.exp) -> Nodes:
        if "exp" not in self.arithmetic:
            raise _Unwritable("The function 'exp'")
        return self.call("exp", self.nodes(expression.args[0]))

    def extreme(self, expression: sympy.Max | sympy.Min) -> Nodes:
        kind = "max" if isinstance(expression, sympy.Max) else "min"
        if kind not in self.arithmetic:
            raise _Unwritable(f"The function '{kind.capitalize()}'")
        total, *rest = map(self.nodes, sorted(expression.args, key=sympy.default_sort_key))
        for part in rest:
            total = self.call(kind, total, part)
        return total

    def unwrapped(self, expression: sympy.Expr) -> Nodes:
        """F(u) by an operator that is p F(q a + r) + s: tanh by the logistic function."""
        operator, p, q, r, s = self.wrapped[expression.func]
        value = sympy.Dummy(real=True)
        inner = self.nodes((expression.args[0] - r) / q)
        self.written[value] = self.call(operator.name, inner)
        return self.nodes((value - s) / p)


_WRITTEN_BY = {
    sympy.Add: _Writer.sum,
    sympy.Mul: _Writer.product,
    sympy.Pow: _Writer.power,
    sympy.exp: _Writer.exponential,
    sympy.log: _Writer.logarithm,
    sympy.Max: _Writer.extreme,
    sympy.Min: _Writer.extreme,
    sympy.Abs: _Writer.absolute,
    sympy.sign: _Writer.sign,
    sympy.tan: _Writer.tangent,
}


def _described(expression: sympy.Expr) -> str:
    return f"The function '{expression.func.__name__}'"


def _finite(number: sympy.Expr) -> float:
    try:
        value = float(number)
    except (TypeError, OverflowError):
        value = float("nan")
    if not abs(value) < float("inf"):
        raise ValueError(
            "A tree holds real, finite constants only. "
            f"Received: {number!s} as part of the expression"
        )
    return value
