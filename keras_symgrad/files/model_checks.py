"""Safety checks for untrusted model files, before Keras or TensorFlow open them.

Keras in safe mode runs no Python code of a file. It builds any model that the file describes,
though, and a SavedModel is a program of TensorFlow's operations, some of which read and write
files.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from keras_symgrad.files.hdf5_checks import check_hdf5_content
from keras_symgrad.files.zip_checks import check_archive

# Keys in a layer's configuration that determine the size of its weights.
SIZES = frozenset(
    (
        *("units", "filters", "input_dim", "output_dim", "num_heads", "key_dim", "value_dim"),
        *("kernel_size", "depth_multiplier", "batch_shape", "batch_input_shape", "n", "size"),
        *("target_shape", "groups", "rank", "max_tokens", "padding"),
    )
)
# Sizes below this are harmless.
SMALL = 2**20
# Operations that read or write files, run Python or talk to other machines.
REACHING = re.compile(
    r"(Eager)?PyFunc(Stateless)?|ReadFile|WriteFile|MatchingFiles|\w*Reader(V\d)?|Save\w*|Restore\w*"
    r"|MergeV2Checkpoints|FileSystem\w*"
    r"|\w*(TextLine|TFRecord|FixedLengthRecord|Csv|CSV|Sql|LMDB|Snapshot|Save|Load|MatchingFiles)Dataset\w*"
    r"|InitializeTableFromTextFile\w*|LoadAndRemapMatrix|GenerateVocabRemapping|\w*Summary\w*"
    r"|Debug\w*|Rpc\w*|_?(Host)?(Send|Recv)|\w*Bigtable\w*|\w*BigQuery\w*|DataService\w*"
)


def check_keras_archive(path: Path) -> None:
    """Raise unless a `.keras` file is an archive that Keras may unpack and build.

    Args:
        path: of the file.

    Raises:
        ValueError: the archive is damaged or far larger inside than outside, its layers are
            larger than the weights in it, or these cannot be read safely.
    """
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        weights = sum(size for name, size in sizes.items() if "weights" in name)
        if sizes.get("config.json", 0) > 2**26:
            raise ValueError("Its configuration takes more than 64 MB.")
        try:
            config = json.loads(archive.read("config.json"))
        except (KeyError, ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError):
            raise ValueError("Its configuration `config.json` is missing or damaged.") from None
        except Exception as error:  # from the decompressor
            raise ValueError(f"Its configuration is damaged ({error}).") from None
    check_sizes(config.get("config") if isinstance(config, dict) else config, weights)
    check_hdf5_content(path)


def check_hdf5(path: Path) -> None:
    """Raise unless an HDF5 file holds the configuration of a model that Keras may build.

    Args:
        path: of the file.

    Raises:
        ValueError: it has no configuration, its layers are larger than the file, or it cannot be
            read safely.
    """
    import h5py

    check_hdf5_content(path)
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs["model_config"]
        config = json.loads(text)
    except Exception as error:  # h5py has no exception class of its own
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"It holds no configuration of a model ({reason}).") from None
    check_sizes(config, path.stat().st_size)


def check_sizes(config: Any, weights: int) -> None:
    """Raise if a layer would need more memory than its file's weights can fill.

    Args:
        config: of a model, plain data.
        weights: bytes of weights in the file.

    Raises:
        ValueError: a size is larger than the weights and larger than a million.
    """
    for name, value in _sizes(config):
        if value > max(SMALL, weights):
            raise ValueError(
                f"A layer of it is larger than its weights: {name}={str(value)[:30]}, with "
                f"{weights:,} bytes of weights."
            )


def _sizes(config: Any) -> Iterator[tuple[str, float]]:
    """All sizes in a configuration, read iteratively at any depth of nesting."""
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            for name, value in part.items():
                if name in SIZES:
                    yield from ((name, size) for size in _numbers(value))
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def _numbers(value: Any) -> Iterable[float]:
    values = value if isinstance(value, list) else [value]
    return (v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool))


def check_saved_model(path: Path) -> None:
    """Raise if functions of a SavedModel read or write files, run Python or use a network.

    Functions that only TensorFlow's saving of checkpoints calls are left out: they are never called
    here.

    Args:
        path: of the folder.

    Raises:
        ValueError: they do (the operations are named), or the file is damaged.
    """
    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        if (path / "saved_model.pb").exists():
            saved.ParseFromString((path / "saved_model.pb").read_bytes())
        else:
            text_format.Parse((path / "saved_model.pbtxt").read_text("utf-8"), saved)
    except Exception as error:  # from two libraries, and from decoding
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"Its `saved_model.pb` is damaged ({reason}).") from None
    found = sorted({op for graph in saved.meta_graphs for op in _reaching(graph)})
    if found:
        raise ValueError(
            f"It would read or write files, run Python or use a network, by {', '.join(found)}. If "
            "you trust it, load it yourself with `tf.saved_model.load` and give a function of it "
            "to `Neuron`."
        )


def _reaching(graph: Any) -> Iterator[str]:
    """Operations with effects outside a graph that loading or calling it can run."""
    functions = {f.signature.name: f.node_def for f in graph.graph_def.library.function}
    left = list(graph.object_graph_def.concrete_functions)
    if not left:
        # Models from before TensorFlow 2: the graph itself, including its savers.
        nodes = [
            n for n in graph.graph_def.node if not n.op.startswith(("Save", "Restore", "Merge"))
        ]
        yield from (node.op for node in nodes if _reaches(node))
        left = [name for node in nodes for name in _called(node)]
    seen: set[str] = set()
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            for node in functions.get(name, ()):
                if _reaches(node):
                    yield node.op
                left.extend(_called(node))


def _reaches(node: Any) -> bool:
    if node.op == "PrintV2":
        return node.attr["output_stream"].s.startswith(b"file:")
    return REACHING.fullmatch(node.op) is not None


def _called(node: Any) -> Iterator[str]:
    # A function may also be called by its name, as an operation.
    yield node.op
    for value in node.attr.values():
        yield from (function.name for function in (value.func, *value.list.func) if function.name)
