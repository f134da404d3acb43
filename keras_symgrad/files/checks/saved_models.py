"""Safety checks for untrusted SavedModels: each of their operations must be one that is allowed.

A SavedModel is a program of TensorFlow's operations. All of it is checked: the graph, every
function in its library, functions that compute gradients and control dependencies alike. The one
exception are the nodes by which TensorFlow saves and restores variables, and only where nothing
else can run them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_symgrad.files.checks.graph_operations import OPERATIONS
from keras_symgrad.files.terminal import printable

if TYPE_CHECKING:
    from tensorflow.core.framework.function_pb2 import FunctionDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

RESTORING = frozenset({"RestoreV2"})
SAVING = frozenset({"SaveV2", "ShardedFilename", "MergeV2Checkpoints"}) | RESTORING
MAX_NAMED_OPERATIONS = 8
# A constant of a few bytes may stand for any number of equal values.
MAX_CONSTANT_VALUES = 2**28


def check_saved_model(path: Path, allowed: Collection[str] = ()) -> None:
    """Raise if a SavedModel holds an operation that is not known to be harmless.

    Args:
        path: of the folder.
        allowed: names of further operations that the user allows.

    Raises:
        ValueError: it does, with the names of the operations; the file is damaged; or something in
            the folder is a device or a pipe, which reading would wait for.
    """
    for entry in path.rglob("*"):
        if not entry.is_dir() and not entry.is_file():
            name = printable(str(entry.relative_to(path)))[:80]
            raise ValueError(f"It holds {name!r}, which is neither a file nor a folder.")
    saved = _parsed(path)
    permitted = OPERATIONS.union(allowed)
    found = sorted({op for graph in saved.meta_graphs for op in _refused(graph, permitted)})
    if found:
        named = ", ".join(printable(op)[:80] for op in found[:MAX_NAMED_OPERATIONS])
        more = len(found) - MAX_NAMED_OPERATIONS
        raise ValueError(
            "It holds operations that are not known to be harmless, as those that read or write "
            f"files or use a network: {named}{f' and {more} more' if more > 0 else ''}. If you "
            "trust it, allow them by name: `load_model(path, allow_operations=[...])`, or "
            "--allow-operation on the command line."
        )


def _parsed(path: Path) -> SavedModel:
    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        if (path / "saved_model.pb").exists():
            saved.ParseFromString((path / "saved_model.pb").read_bytes())
        else:
            text_format.Parse((path / "saved_model.pbtxt").read_text("utf-8"), saved)
    except Exception as error:  # of two libraries, and of decoding
        reason = printable(" ".join(str(error).split())[:200])
        raise ValueError(f"Its `saved_model.pb` is damaged ({reason}).") from None
    return saved


def _refused(graph: MetaGraphDef, permitted: Collection[str]) -> Iterator[str]:
    """Names of operations of a graph and its functions that are not permitted."""
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    nodes = list(graph.graph_def.node)
    restoring, saving = _saver_nodes(graph)
    yield from _imitating(functions, permitted)
    further = {node.name: RESTORING for node in restoring}
    further |= {node.name: SAVING for node in saving}
    savers = _saver_functions(graph, functions, restoring, saving)
    for node in nodes:
        yield from _of_node(node, permitted, functions, further.get(node.name, ()))
    filename = _node_name(graph.saver_def.filename_tensor_name)
    yield from _foreign_prefixes(restoring, filename, filename, savers)
    for name, function in functions.items():
        allowed = savers.get(name, frozenset())
        for node in function.node_def:
            yield from _of_node(node, permitted, functions, allowed)
        if allowed == RESTORING:
            own = function.signature.input_arg[0].name if function.signature.input_arg else ""
            yield from _foreign_prefixes(function.node_def, own, None, {})


def _of_node(
    node: NodeDef,
    permitted: Collection[str],
    functions: Mapping[str, FunctionDef],
    further: Collection[str],
) -> Iterator[str]:
    if node.op not in permitted and node.op not in further and node.op not in functions:
        yield node.op
    for value in node.attr.values():
        sizes = [dim.size for dim in value.tensor.tensor_shape.dim]
        if math.prod(sizes) > MAX_CONSTANT_VALUES:
            yield f"{node.op} of {sizes} values"


def _imitating(functions: Iterable[str], permitted: Collection[str]) -> Iterator[str]:
    """Functions that bear the name of an operation, which could be run in their place."""
    import tensorflow as tf

    for name in functions:
        is_operation = hasattr(tf.raw_ops, name) or name.startswith("_") > name.startswith("__")
        if is_operation and name not in permitted:
            yield name


def _saver_nodes(graph: MetaGraphDef) -> tuple[list[NodeDef], list[NodeDef]]:
    """Nodes that only restoring runs, and those that only saving runs, which nothing here does."""
    nodes = {node.name: node for node in graph.graph_def.node}
    saver = graph.saver_def
    filename = _node_name(saver.filename_tensor_name)
    restore = _depended_on(nodes, [_node_name(saver.restore_op_name)])
    save = _depended_on(nodes, [_node_name(saver.save_tensor_name), filename])
    roots = [name for name in nodes if name not in restore and name not in save]
    for signature in graph.signature_def.values():
        tensors = [*signature.outputs.values(), *signature.inputs.values()]
        roots += [_node_name(tensor.name) for tensor in tensors]
    roots += [_node_name(asset.tensor_info.name) for asset in graph.asset_file_def]
    for collection in graph.collection_def.values():
        roots += map(_node_name, collection.node_list.value)
    others = _depended_on(nodes, roots)
    return (
        [nodes[name] for name in restore - others],
        [nodes[name] for name in save - others - restore],
    )


def _depended_on(nodes: Mapping[str, NodeDef], names: Iterable[str]) -> set[str]:
    """Names of nodes that some nodes need, by data or by control, and of these nodes."""
    left, seen = list(names), set()
    while left:
        name = left.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            left.extend(map(_node_name, nodes[name].input))
    return seen


def _saver_functions(
    graph: MetaGraphDef,
    functions: Mapping[str, FunctionDef],
    restoring: Iterable[NodeDef],
    saving: Iterable[NodeDef],
) -> dict[str, frozenset[str]]:
    """Functions that nothing but saver nodes can call, with what each may hold besides."""
    by_restoring = {name for node in restoring for name in _named(node.op, node.attr, functions)}
    by_saving = {name for node in saving for name in _named(node.op, node.attr, functions)}
    saver_nodes = {node.name for node in (*restoring, *saving)}
    called: set[str] = set()
    for node in graph.graph_def.node:
        if node.name not in saver_nodes:
            called.update(_named(node.op, node.attr, functions))
    for function in functions.values():
        called.update(_named("", function.attr, functions))
        if "api_implements" in function.attr:
            # TensorFlow may run such a function in place of another one of the same interface.
            called.add(function.signature.name)
        for node in function.node_def:
            called.update(_named(node.op, node.attr, functions))
    library = graph.graph_def.library
    called.update(gradient.gradient_func for gradient in library.gradient)
    called.update(gradient.gradient_func for gradient in library.registered_gradients)
    objects = graph.object_graph_def
    called.update(objects.concrete_functions)
    for item in objects.nodes:
        called.update(item.function.concrete_functions)
        called.add(item.bare_concrete_function.concrete_function_name)
    savers = dict.fromkeys(by_saving - by_restoring - called, SAVING)
    return savers | dict.fromkeys(by_restoring - called, RESTORING)


def _named(op: str, attributes: Mapping[str, Any], functions: Mapping[str, Any]) -> Iterator[str]:
    """Functions that an operation or its attributes name, in whatever way."""
    if op in functions:
        yield op
    for value in attributes.values():
        for function in (value.func, *value.list.func):
            yield from _named(function.name, function.attr, functions)
        for text in (value.s, *value.list.s):
            name = text.decode("utf-8", "replace")
            if name in functions:
                yield name


def _foreign_prefixes(
    nodes: Iterable[NodeDef], own: str, passed: str | None, savers: Mapping[str, Any]
) -> Iterator[str]:
    """Restoring from elsewhere than the variables of the SavedModel itself.

    Args:
        nodes: of a graph or function that restores.
        own: name of the node or argument that holds the path of the variables.
        passed: name of the node that restoring functions must be given, if any are called.
        savers: restoring functions.
    """
    nodes = {node.name: node for node in nodes}
    for node in nodes.values():
        restores = node.op in RESTORING
        calls = any(name in savers for name in _named(node.op, node.attr, savers))
        if not restores and not calls:
            continue
        source, passed_by = _node_name("".join(node.input[:1])), set()
        while source in nodes and source not in passed_by and nodes[source].op == "Identity":
            passed_by.add(source)
            source = _node_name("".join(nodes[source].input[:1]))
        if not own or source != (own if restores else passed):
            yield f"{node.op} of another path"


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]
