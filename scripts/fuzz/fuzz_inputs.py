"""Inputs for fuzzing, made of bytes: the same bytes make the same input.

A coverage-guided fuzzer produces bytes only. `Choices` reads decisions from them, so that most
inputs are nearly right and pass the first check.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

NAMES = ("x1", "x2", "petal length (cm)", "lambda")
NUMBERS = (
    *("0", "1", "2", "3", "-1", "0.5", "1e308", "1e-320", "1e999", "10000", "9" * 30, "1/3"),
    *("pi", "E", "1_0", "0x1F", "2j", "nan", "inf", "True"),
)
FUNCTIONS = (
    *("Abs", "sign", "exp", "log", "erf", "floor", "ceiling", "sin", "cos", "tan", "asin", "acos"),
    *("atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sqrt", "atan2", "Max", "Min"),
    *("Eq", "Ne", "ITE", "Piecewise", "gauss", "sigmoid", "cbrt", "hypot", "eval", "__import__"),
)
SYMBOLS = ("+", "-", "*", "/", "**", "//", "%", "@", "^", "&", "|", "~", "<", "<=", ">", ">=")
# Plain data of the wrong kind, and texts that would like to be run.
JUNK: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        1.5,
        10**6,
        10**9,
        1e308,
        10**400,
        float("nan"),
        float("inf"),
        "",
        "x1",
        [],
        {},
    ),
    *("__import__('os').system('touch pwned')", "\x1b[2J", "\x00", "<script>", "../../etc/passwd"),
    *(["a", 1], {"a": {"a": {"a": []}}}, "x1**x1**x1", "9**9**9", "\ud800"),
)


# Layers that would run code, read files or take all memory.
ATTACKS: tuple[dict[str, Any], ...] = (
    {"class_name": "Lambda", "config": {"function": ["4wAAAAA=", None, None], "name": "l"}},
    {"module": "os", "class_name": "system", "config": {"command": "touch pwned"}},
    {"module": "builtins", "class_name": "function", "config": "eval"},
    {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://localhost"}},
    {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd", "name": "s"}},
    {"class_name": "TextVectorization", "config": {"vocabulary": "/etc/passwd", "name": "t"}},
    {"class_name": "TFSMLayer", "config": {"filepath": "/tmp/other", "name": "f"}},
    {"class_name": "Dense", "config": {"units": 10**9, "name": "d"}},
    {"class_name": "Embedding", "config": {"input_dim": 10**9, "output_dim": 64, "name": "e"}},
    {"class_name": "RepeatVector", "config": {"n": 10**9, "name": "r"}},
    {"class_name": "Conv2D", "config": {"filters": 10**6, "kernel_size": 10**4, "name": "c"}},
    {"class_name": "InputLayer", "config": {"batch_shape": [10**9, 10**9], "name": "i"}},
    {"module": "keras_symgrad.formulas.symbolic_layer", "class_name": "SymbolicLayer"}
    | {"config": {"expression": "9**9**9", "names": ["a", "b", "c"]}},
)


class Choices:
    """Decisions read from bytes one after the other; the first choice once they are used up.

    Example:

    >>> choices = Choices(bytes([7, 1]))
    >>> choices.below(5), choices.pick("ab"), choices.pick("ab")
    (2, 'b', 'a')
    """

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def below(self, count: int) -> int:
        """A number from 0 to `count - 1`."""
        size = (max(count - 1, 1).bit_length() + 7) // 8
        return int.from_bytes(self.bytes(size), "big") % count

    def pick(self, options: Sequence) -> Any:
        """One of the options."""
        return options[self.below(len(options))]

    def bytes(self, count: int) -> bytes:
        """The next bytes; fewer at the end."""
        start, self._at = self._at, self._at + count
        return self._data[start : self._at]

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.bytes(len(self._data))


def expression(choices: Choices) -> str:
    """A text as it comes, or one by the grammar of formulas with few mistakes."""
    if choices.below(4):
        return choices.rest().decode("utf-8", "surrogateescape")
    return _formula(choices, 5)


def _formula(choices: Choices, depth: int) -> str:
    kind = choices.below(8) if depth else choices.below(3)
    part = lambda: _formula(choices, depth - 1)  # noqa: E731 - a name for what is drawn each time
    if kind == 0:
        return choices.pick((*NAMES[:2], "lambda", "foo", *map(repr, NAMES)))
    if kind in (1, 2):
        return choices.pick(NUMBERS)
    if kind in (3, 4):
        return f"({part()} {choices.pick(SYMBOLS)} {part()})"
    if kind == 5:
        return f"{choices.pick('-+~')}{part()}"
    name = choices.pick(FUNCTIONS)
    if name == "Piecewise":
        branches = (f"({part()}, {part()} {choices.pick('<>')} {part()})" for _ in range(2))
        return f"Piecewise({', '.join(branches)}, ({part()}, True))"
    return f"{name}({', '.join(part() for _ in range(1 + choices.below(3)))})"


def edited(content: bytes, choices: Choices) -> bytes:
    """Bytes with a few of them changed, cut out, repeated or cut off."""
    changed = bytearray(content)
    for _ in range(1 + choices.below(8)):
        at = choices.below(len(changed) + 1)
        kind = choices.below(5)
        if kind == 0:
            changed[at : at + 1] = choices.bytes(1)
        elif kind == 1:
            new = choices.pick((b"\x00" * 8, b"\xff" * 8, b"\xff\xff\xff\x7f", b"-1", b"99999999"))
            changed[at : at + len(new)] = new
        elif kind == 2:
            del changed[at : at + 1 + choices.below(64)]
        elif kind == 3:
            changed[at:at] = changed[at : at + 1 + choices.below(64)] * (1 + choices.below(3))
        else:
            del changed[at:]
    return bytes(changed)


def edited_json(content: Any, choices: Choices) -> Any:
    """Plain data with a few of its parts replaced, removed or put in the place of others."""
    content = copy.deepcopy(content)
    for _ in range(1 + choices.below(4)):
        if not content:
            break
        parent, key = _place(content, choices)
        kind = choices.below(5)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent[key], str):
            parent[key] = _formula(choices, 4)
        elif kind == 2:
            other, name = _place(content, choices)
            parent[key] = copy.deepcopy(other[name])
        elif kind == 3 and isinstance(parent, dict):
            parent[choices.pick(("extra", "\x1b[2J", "__class__", key))] = copy.deepcopy(
                choices.pick(JUNK)
            )
        else:
            parent[key] = copy.deepcopy(choices.pick(JUNK))
    return content


def _place(content: Any, choices: Choices) -> tuple[Any, Any]:
    """A part of plain data, as its parent and its key: each level is as likely as the next."""
    while True:
        key = choices.pick(list(content) if isinstance(content, dict) else range(len(content)))
        if not isinstance(content[key], (dict, list)) or not content[key] or not choices.below(4):
            return content, key
        content = content[key]


def as_json(content: Any) -> bytes:
    """JSON, with Python's words for numbers that JSON does not have."""
    return json.dumps(content).encode("utf-8", "surrogatepass")


def edited_archive(
    content: bytes, choices: Choices, edits: dict[str, Callable[[bytes, Choices], bytes]]
) -> bytes:
    """A zip archive with one of its members changed, and right again as an archive.

    Args:
        content: the archive.
        choices: what to change.
        edits: by the end of a member's name, how its content is changed; as bytes by default.

    Returns:
        The archive.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = choices.pick(sorted(members))
    kind = choices.below(6)
    if kind == 0:
        del members[chosen]
    elif kind == 1:
        members[choices.pick(("../outside", "/tmp/pwned", "config.json/x", "a" * 300))] = b"x"
    elif kind == 2:
        members[chosen] = b"\x00" * (1 << (8 + choices.below(14)))
    else:
        how = next((edit for end, edit in edits.items() if chosen.endswith(end)), edited)
        members[chosen] = how(members[chosen], choices)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return packed.getvalue()
