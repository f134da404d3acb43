"""Parse formulas from untrusted text into SymPy, without evaluating code.

The text is parsed as Python by `ast`, never run, and every node of the syntax tree must be one that
a formula needs: numbers, variables, arithmetic, and calls of known functions. Numbers must lie
within the range of a double, and SymPy has a time limit, so no formula can stall the machine.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import sympy
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import Boolean

from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.time_limit import within_time_limit
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.files import printable

LONGEST_TEXT = 10_000
DEEPEST_NESTING = 60
LARGEST_EXPONENT = 10_000
LARGEST_BITS = 1_024
LONGEST_READING = 1.0  # seconds of processor time

# Functions that `to_text` may write: those that both SymPy and TensorFlow have.
FUNCTIONS: dict[str, tuple[Callable[..., sympy.Basic], int | None]] = {
    **{
        function.__name__: (function, 1)
        for function in (
            *(sympy.Abs, sympy.sign, sympy.exp, sympy.log, sympy.erf, sympy.floor, sympy.ceiling),
            *(sympy.sin, sympy.cos, sympy.tan, sympy.asin, sympy.acos, sympy.atan),
            *(sympy.sinh, sympy.cosh, sympy.tanh, sympy.asinh, sympy.acosh, sympy.atanh),
        )
    },
    "sqrt": (sympy.sqrt, 1),
    "atan2": (sympy.atan2, 2),
    "Max": (sympy.Max, None),
    "Min": (sympy.Min, None),
    "Eq": (sympy.Eq, 2),
    "Ne": (sympy.Ne, 2),
    "ITE": (sympy.ITE, 3),
}
NUMBERS = {"pi": sympy.pi, "E": sympy.E}
# Functions that SymPy may introduce into a formula; `to_text` rewrites the last two.
_WRITTEN = {*FUNCTIONS, "Piecewise", "re", "im"}
_COMPARISONS = {ast.Lt: sympy.Lt, ast.LtE: sympy.Le, ast.Gt: sympy.Gt, ast.GtE: sympy.Ge}
_CONNECTIVES = {ast.BitAnd: sympy.And, ast.BitOr: sympy.Or}


class Applicable(Protocol):
    """An operator as the parser sees it: a SymPy expression in its arguments."""

    @property
    def arity(self) -> int:
        """Number of arguments."""

    @property
    def arguments(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of `expression` in the order of the arguments."""

    @property
    def expression(self) -> sympy.Expr:
        """The operator's value."""

    def __call__(self, *arguments: sympy.Expr) -> sympy.Expr:
        """The value for given arguments."""


def from_text(
    text: str,
    names: Sequence[str] = (),
    operators: OperatorSet | Mapping[str, Applicable] | None = None,
) -> sympy.Expr:
    """Read a formula; nothing in the text is ever run.

    Accepted are numbers, `+ - * / **`, brackets, the named variables, `pi` and `E`, the functions
    that `to_text` writes, and the operators of the set. A variable whose name is not a plain
    identifier is written in quotation marks: `'petal length (cm)'**2`. A variable named like a
    number is the variable.

    Args:
        text: the formula in Python's and SymPy's syntax, up to 10,000 characters.
        names: names of the variables.
        operators: a set, or a mapping by name, of operators that may be called.

    Returns:
        A SymPy expression in real symbols.

    Raises:
        ValueError: the text is not such a formula, holds a number outside the range of a double, or
            keeps SymPy busy for a second. The message is one line with the reason and the place.

    Example:

    >>> from_text("2.5*x1**2 + gauss('a b')", ["x1", "a b"], OperatorSet("gauss"))
    2.5*x1**2 + exp(-a b**2)
    >>> from_text("__import__('os')", ["x1"])
    Traceback (most recent call last):
    ValueError: Unknown function '__import__' in column 1 of "__import__('os')".
    """
    if not isinstance(text, str):
        raise ValueError(f"A formula must be a string. Received: {text!r}")
    if len(text) > LONGEST_TEXT:
        raise ValueError(
            f"A formula may have {LONGEST_TEXT} characters at most. Received: {len(text)}"
        )
    reader = _Reader(text, names, operators)
    try:
        expression = within_time_limit(LONGEST_READING, lambda: reader.formula(_syntax(text)))
    except SyntaxError as error:
        reason = error.msg.split(":")[0]
        raise ValueError(f"{reason} in column {error.offset or 1} of {reader.quoted}.") from None
    except (RecursionError, MemoryError):
        raise ValueError(f"{reader.quoted} is nested too deeply.") from None
    except TimeoutError:
        raise ValueError(
            f"SymPy needs longer than {LONGEST_READING:g} s to read {reader.quoted}."
        ) from None
    except _Refusal as refusal:
        raise ValueError(str(refusal)) from None
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{reader.quoted} is no formula: {reason}") from None
    return expression


def _syntax(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as the one for '1if' without a space
        return ast.parse(text.strip(), mode="eval").body


class _Refusal(Exception):
    """Reason why a text is not a formula."""


class _Reader:
    def __init__(
        self,
        text: str,
        names: Sequence[str],
        operators: OperatorSet | Mapping[str, Applicable] | None,
    ):
        short = text if len(text) <= 60 else text[:57] + "..."
        self.quoted = '"' + printable(" ".join(short.split())) + '"'
        self.variables: Mapping[str, sympy.Symbol] = {name: symbol(name) for name in names}
        self.text = text.strip()
        self.operators = operators or {}
        self.depth = 0

    def formula(self, node: ast.expr) -> sympy.Expr:
        expression = self.read(node)
        if not isinstance(expression, sympy.Expr):
            raise _Refusal(f"{self.quoted} is a condition, not a formula.")
        # A factor that SymPy has multiplied into a sum lies deeper than the node's own numbers.
        if not all(_is_double(atom.evalf(15)) for atom in expression.atoms() if atom.is_number):
            raise self.refusal("A number that is too large or not real", node)
        # A power of a power has an exponent that does not occur in the text.
        for power in expression.atoms(sympy.Pow):
            self.check_power(power.base, power.exp, node)
        made = {type(part).__name__ for part in expression.atoms(AppliedUndef, sympy.Function)}
        if not made <= _WRITTEN:
            raise self.refusal(f"SymPy makes '{min(made - _WRITTEN)}' of what stands", node)
        return expression

    def read(self, node: ast.expr) -> sympy.Basic:
        reader = _READERS.get(type(node))
        if reader is None:
            raise self.refusal(f"{_KINDS.get(type(node), 'This')} is not allowed", node)
        # SymPy can build expressions that it cannot print: its own recursion goes ten times as
        # deep.
        if self.depth == DEEPEST_NESTING:
            raise RecursionError
        self.depth += 1
        expression = reader(self, node)
        self.depth -= 1
        return self.within_doubles(expression, node)

    def as_written(self, node: ast.Name) -> str:
        """A name as it stands in the text: Python reads the micro sign as the letter mu."""
        return node.id if node.id.isascii() else ast.get_source_segment(self.text, node) or node.id

    def number(self, node: ast.expr) -> sympy.Expr:
        expression = self.read(node)
        if not isinstance(expression, sympy.Expr):
            raise self.refusal("A condition in the place of a number", node)
        return expression

    def condition(self, node: ast.expr) -> Boolean:
        expression = self.read(node)
        # For SymPy both are symbols.
        if isinstance(expression, sympy.Expr) or not isinstance(expression, Boolean):
            raise self.refusal("A number in the place of a condition", node)
        return expression

    def refusal(self, reason: str, node: ast.expr) -> _Refusal:
        return _Refusal(f"{reason} in column {node.col_offset + 1} of {self.quoted}.")

    def within_doubles(self, expression: sympy.Basic, node: ast.expr) -> sympy.Basic:
        """The expression, if each of its numbers is real and a double can hold it.

        Each node is checked before it becomes part of another, so no step handles a number of more
        than 1,024 bits, and none can take long.
        """
        for number in (expression, *expression.args):
            if isinstance(number, sympy.Expr) and number.is_number:
                value = number if number.is_Rational else number.evalf(15)
                if not _is_double(value):
                    raise self.refusal("A number that is too large or not real", node)
        return expression

    def check_power(self, base: sympy.Expr, exponent: sympy.Expr, node: ast.expr) -> None:
        """Raise for a power that would keep Python's integers busy for long without a time limit.

        The power n of a number of b bits has at least n (b - 1) bits.
        """
        if not exponent.is_Rational:
            return
        if max(abs(exponent.p), exponent.q) > LARGEST_EXPONENT:
            raise self.refusal(f"An exponent beyond {LARGEST_EXPONENT}", node)
        number = base.as_coeff_Mul()[0]
        if number.is_Rational:
            bits = max(abs(number.p).bit_length(), number.q.bit_length())
            bound = LARGEST_BITS * (1 if exponent.q == 1 else LARGEST_BITS)
            if (bits - 1) * abs(exponent.p) > bound:
                raise self.refusal("A number that is too large or not real", node)

    def check_operator(
        self, operator: Applicable, arguments: list[sympy.Expr], node: ast.expr
    ) -> None:
        """Raise for a power in an operator's expression, inner ones first."""
        given = dict(zip(operator.arguments, arguments))
        powers = operator.expression.atoms(sympy.Pow)
        for power in sorted(powers, key=lambda power: len(str(power))):
            base, exponent = (part.subs(given, simultaneous=True) for part in power.args)
            self.check_power(base, exponent, node)

    def constant(self, node: ast.Constant) -> sympy.Expr:
        value = node.value
        if isinstance(value, str):
            if value not in self.variables:
                raise self.refusal(f"Unknown variable {value!r}", node)
            return self.variables[value]
        if value is True or value is False:
            return sympy.true if value else sympy.false
        if type(value) is int:
            return sympy.Integer(value)
        if type(value) is float and abs(value) < float("inf"):
            return sympy.Float(value)
        raise self.refusal(f"{value!r} is not a number that is allowed", node)

    def name(self, node: ast.Name) -> sympy.Expr:
        found = self.variables.get(self.as_written(node))
        found = found or self.variables.get(node.id, NUMBERS.get(node.id))
        if found is None:
            known = f"; the variables are {', '.join(self.variables)}" if self.variables else ""
            raise self.refusal(f"Unknown name '{node.id}'{known}", node)
        return found

    def binary(self, node: ast.BinOp) -> sympy.Basic:
        if isinstance(node.op, (ast.Add, ast.Sub)):
            return sympy.Add(*self.terms(node))
        if isinstance(node.op, (ast.Mult, ast.Div)):
            return sympy.Mul(*self.factors(node))
        if type(node.op) in _CONNECTIVES:
            return _CONNECTIVES[type(node.op)](
                self.condition(node.left), self.condition(node.right)
            )
        if not isinstance(node.op, ast.Pow):
            raise self.refusal("This operation is not allowed", node)
        left, right = self.number(node.left), self.number(node.right)
        self.check_power(left, right, node)
        return sympy.Pow(left, right)

    # SymPy expands 2*(x + y), but not 2*(x + y)/z: a chain must be built in one step to be restored
    # exactly. Long chains lean to the left, so they are followed by a loop.

    def terms(self, node: ast.expr) -> list[sympy.Expr]:
        terms = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            negative = isinstance(node.op, ast.Sub)
            terms.append(self.negated(node.right) if negative else self.number(node.right))
            node = node.left
        return [self.number(node), *reversed(terms)]

    def factors(self, node: ast.expr) -> list[sympy.Expr]:
        factors = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            right = self.number(node.right)
            if isinstance(node.op, ast.Div):
                if right.is_zero:
                    raise self.refusal("A division by zero", node.right)
                right = 1 / right
            factors.append(right)
            node = node.left
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return [sympy.Integer(-1), *self.factors(node.operand), *reversed(factors)]
        return [self.number(node), *reversed(factors)]

    def negated(self, node: ast.expr) -> sympy.Expr:
        return sympy.Mul(-1, *self.factors(node))

    def unary(self, node: ast.UnaryOp) -> sympy.Basic:
        if isinstance(node.op, ast.USub):
            return self.negated(node.operand)
        if isinstance(node.op, ast.UAdd):
            return self.number(node.operand)
        if isinstance(node.op, ast.Invert):
            return sympy.Not(self.condition(node.operand))
        raise self.refusal("This operation is not allowed", node)

    def comparison(self, node: ast.Compare) -> sympy.Basic:
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARISONS:
            raise self.refusal("This comparison is not allowed", node)
        sides = self.number(node.left), self.number(node.comparators[0])
        return _COMPARISONS[type(node.ops[0])](*sides)

    def call(self, node: ast.Call) -> sympy.Basic:
        if not isinstance(node.func, ast.Name):
            raise self.refusal("A call of something that is not a known function", node)
        name = node.func.id
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.refusal(f"Arguments of '{name}' with names or stars", node)
        if name == "Piecewise":
            return sympy.Piecewise(*(self.branch(argument) for argument in node.args))
        function: Callable[..., sympy.Basic]
        operator = None
        if name in FUNCTIONS:
            function, arity = FUNCTIONS[name]
        elif name in self.operators:
            function = operator = self.operators[name]
            arity = operator.arity
        else:
            raise self.refusal(f"Unknown function '{name}'", node)
        if not node.args or (arity is not None and len(node.args) != arity):
            raise self.refusal(f"'{name}' with {len(node.args)} arguments, not {arity or 1},", node)
        read = self.condition if name == "ITE" else self.number
        arguments = [read(argument) for argument in node.args]
        if operator is not None:
            self.check_operator(operator, arguments, node)
        return function(*arguments)

    def branch(self, node: ast.expr) -> tuple[sympy.Basic, ...]:
        if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
            raise self.refusal("A branch of 'Piecewise' that is not (formula, condition)", node)
        value, condition = self.number(node.elts[0]), self.condition(node.elts[1])
        if condition.has(sympy.Piecewise):
            # SymPy would solve the condition for sets of numbers, which takes long; `to_text` has
            # done so.
            raise self.refusal("A 'Piecewise' inside a condition", node)
        return value, condition


_READERS: dict[type[ast.expr], Callable[..., sympy.Basic]] = {
    ast.Constant: _Reader.constant,
    ast.Name: _Reader.name,
    ast.BinOp: _Reader.binary,
    ast.UnaryOp: _Reader.unary,
    ast.Compare: _Reader.comparison,
    ast.Call: _Reader.call,
}
_KINDS = {
    ast.Attribute: "An attribute",
    ast.Subscript: "A subscript",
    ast.Lambda: "A lambda",
    ast.Tuple: "A tuple",
    ast.List: "A list",
    ast.JoinedStr: "A formatted string",
}


def _is_double(value: sympy.Expr) -> bool:
    if value.is_Rational:
        return max(abs(value.p).bit_length(), value.q.bit_length()) <= LARGEST_BITS
    if not value.is_Float:
        return False  # complex, infinite or not a number
    _, mantissa, exponent, bits = value._mpf_
    return mantissa == 0 or exponent + bits <= LARGEST_BITS
