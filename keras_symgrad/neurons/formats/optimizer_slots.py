"""SavedModels of Keras 2 without the slots of their optimizers, which TensorFlow cannot restore."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def without_optimizer_slots(path: Path) -> Iterator[Path]:
    """A SavedModel folder that `tf.saved_model.load` can read.

    Keras 2 wrote the optimizer of a trained model into the folder. Without its code TensorFlow
    restores a plain object in its place and then asks it for slots, which it does not have. They
    are of no use to a network that is not trained further.

    Args:
        path: of the folder; it is not changed.

    Yields:
        The folder itself, or one beside which all other files are linked; it is deleted after.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel()
    if file.exists():
        saved.ParseFromString(file.read_bytes())
    nodes = [node for graph in saved.meta_graphs for node in graph.object_graph_def.nodes]
    if not any(node.slot_variables for node in nodes):
        yield path
        return
    for node in nodes:
        del node.slot_variables[:]
    with tempfile.TemporaryDirectory() as folder:
        # Its name is that of the model.
        copy = Path(folder) / path.resolve().name
        copy.mkdir()
        for other in path.resolve().iterdir():
            if other.name != file.name:
                os.symlink(other, copy / other.name, target_is_directory=other.is_dir())
        (copy / file.name).write_bytes(saved.SerializeToString())
        yield copy
