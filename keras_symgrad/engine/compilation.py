"""Programs that XLA compiles, and loops that it compiles into one function of machine code.

XLA's runtime on a CPU starts every instruction in the body of a loop as a task of its own and
splits the larger ones over threads. The bodies of the interpreter's loops are small: of 70 us that
a tree of 15 nodes took on 1,000 rows, 56 went there. XLA compiles a loop as one function where its
body reads and writes less than 1 KB (`SmallWhileLoopHoistingPass`), by a call that has the
attribute `xla_cpu_small_call`. No option sets that limit for one program alone, so the call is
written into the program here, in the text form of StableHLO.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

# XLA ends the process where it cannot compile such a call. So one is written only for the version
# that the tests run with; with any other the same program takes four to five times as long.
LOOPS_ARE_FUNCTIONS = tf.__version__.startswith("2.21.")
# And only where XLA's compiler of whole functions knows every operation. It does not know sorts,
# Fourier transforms, random numbers and custom calls.
KNOWN_OPERATIONS = {
    f"stablehlo.{name}"
    for name in """
        abs add and atan2 broadcast_in_dim case cbrt ceil clamp compare concatenate constant convert
        cosine divide dot_general dynamic_slice dynamic_update_slice exponential
        exponential_minus_one floor gather if iota is_finite log log_plus_one logistic maximum
        minimum multiply negate not or pad power reduce remainder reshape return round_nearest_afz
        round_nearest_even rsqrt scatter select sign sine slice sqrt subtract tan tanh transpose
        while xor
    """.split()
} | {"chlo.erf"}
# Version of the TensorFlow operation that runs a module.
CALL_VERSION = 9
SMALL_CALL = '{mhlo.frontend_attributes = {inlineable = "false", xla_cpu_small_call = "true"}}'

_OPERATION = re.compile(r"(?:^ *|= |applies )\"?((?:stablehlo|chlo|mhlo)\.\w+)", re.M)
# The text may hold no operation of the dialect that TensorFlow writes the error function in.
_ERF = re.compile(r"= mhlo\.erf (%\w+) : (tensor<[^>]*>)")
_MAIN = re.compile(r"^  func\.func (?:public )?@main\(", re.M)
_LOOP = re.compile(r"^    %(\w+):(\d+) = stablehlo\.while\((.*)\) : (.*)$", re.M)
_LOOP_END = re.compile(r"^    \}(?! do \{).*$", re.M)
_RETURN = re.compile(r"^    return .*$", re.M)


def compiled(function: Callable[..., Any]) -> Any:
    """A program that XLA compiles for each shape it is called with."""
    # TensorFlow counts traces by code object, and warns of five programs that differ only in their
    # closures. A partial has no code object.
    return tf.function(partial(function), jit_compile=True, autograph=False)


def compiled_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """A program that is one loop, which XLA compiles into one function of machine code.

    Args:
        function: a function of nested tensors. Its outermost loop, and those within, run in the
            thread that calls it.

    Returns:
        The program, compiled for each shape it is called with. What XLA cannot compile in this way
        it compiles as usual, with the same results.

    Example:

    >>> def triangular(count):
    ...     return tf.while_loop(lambda k, _: k < count, lambda k, s: (k + 1, s + k), (0, 0))[1]
    >>> int(compiled_loop(triangular)(tf.constant(5)))
    10
    """

    def program(*arguments: Any) -> Any:
        tensors = tf.nest.flatten(arguments)
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
        with tf.init_scope():
            inner = compiled(
                lambda *flat: function(*tf.nest.pack_sequence_as(arguments, flat)),
            )
            results = inner.get_concrete_function(*specs).structured_outputs
            describe = inner.experimental_get_compiler_ir(*specs)
            text = describe(stage="stablehlo", platform_name="CPU")
        module = with_small_call(text)
        if module is None:
            return function(*arguments)
        outputs = _call(module, tensors, tf.nest.flatten(results))
        return tf.nest.pack_sequence_as(results, outputs)

    return compiled(program if LOOPS_ARE_FUNCTIONS else function)


def _call(module: str, tensors: list[tf.Tensor], results: list[tf.Tensor]) -> list[tf.Tensor]:
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    return gen_xla_ops.xla_call_module(
        args=tensors,
        version=CALL_VERSION,
        module=module,
        Sout=[result.shape for result in results],
        Tout=[result.dtype for result in results],
        platforms=["CPU"],
    )


def with_small_call(text: str) -> str | None:
    """A module whose outermost loop stands in a function that is called as a small one.

    The function has a single argument, a tuple of what the loop begins with. XLA's compiler of
    whole functions knows the memory of what an instruction reads, and ends the process at a
    parameter that none reads; as parameters of their own, entries that the loop does not need would
    be such ones.

    Args:
        text: a module in the text form of StableHLO.

    Returns:
        The changed module, or None where it has another form or unknown operations.
    """
    text = _ERF.sub(r"= chlo.erf \1 : \2 -> \2", text)
    main = _MAIN.search(text)
    if main is None or not KNOWN_OPERATIONS.issuperset(_OPERATION.findall(text)):
        return None
    last = _RETURN.search(text, main.end())
    loops = list(_LOOP.finditer(text, main.end(), last.start() if last else main.end()))
    if last is None or len(loops) != 1:
        return None
    (loop,) = loops
    end = _LOOP_END.search(text, loop.end())
    types = _split_types(loop[4])
    pairs = [pair.split(" = ") for pair in loop[3].split(", ")]
    if end is None or not int(loop[2]) == len(types) == len(pairs):
        return None

    result = re.compile(rf"%{loop[1]}#(\d+)")
    rest = text[end.end() : last.end()]
    needed = sorted(set(map(int, result.findall(rest))))
    returned = ", ".join(types[number] for number in needed)
    tuple_type = f"tuple<{loop[4]}>"
    call = (
        f"    %start = stablehlo.tuple {', '.join(value for _, value in pairs)} : {tuple_type}\n"
        f"    %needed:{len(needed)} = func.call @loop(%start) {SMALL_CALL} "
        f": ({tuple_type}) -> ({returned})"
    )
    rest = result.sub(lambda match: f"%needed#{needed.index(int(match[1]))}", rest)
    entries = "".join(
        f"    %entry{number} = stablehlo.get_tuple_element %start[{number}] "
        f": ({tuple_type}) -> {entry}\n"
        for number, entry in enumerate(types)
    )
    begin = ", ".join(f"{name} = %entry{number}" for number, (name, _) in enumerate(pairs))
    body = text[loop.end() : end.end()]
    values = ", ".join(f"%result#{number}" for number in needed)
    function = (
        f"\n  func.func private @loop(%start: {tuple_type}) -> ({returned}) {{\n{entries}"
        f"    %result:{len(types)} = stablehlo.while({begin}) : {loop[4]}{body}\n"
        f"    return {values} : {returned}\n  }}"
    )
    close = text.index("\n}", last.end())
    return (
        text[: main.start()]
        + "  func.func public @main("
        + text[main.end() : loop.start()]
        + call
        + rest
        + text[last.end() : close]
        + function
        + text[close:]
    )


def _split_types(text: str) -> list[str]:
    # The only commas outside of brackets are those between types.
    return re.split(r", (?![^<]*>)", text)
