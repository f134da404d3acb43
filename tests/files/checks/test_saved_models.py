"""SavedModels are refused unless all that they could run is allowed, wherever it hides."""

from __future__ import annotations

import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

from keras_symgrad.files.checks.graph_operations import OPERATIONS
from keras_symgrad.files.checks.saved_models import SAVING, check_saved_model
from keras_symgrad.neurons.loading import load, load_model
from keras_symgrad.search.core.provenance import recorded

v1 = tf.compat.v1
# Arguments by which an operation is told where to read, write or connect.
REACHING = re.compile(
    r"(^|_)(file|filename|filenames|files|path|paths|dir|dirs|directory|logdir|address|addresses"
    r"|host|hosts|server|servers|uri|urls?|prefix|prefixes|port|endpoint|output_stream|bucket_name"
    r"|descriptor_source|memory_region_name|file_pattern|file_name|log_dir_path)($|_)"
)
# What only sounds so: memory of the machine beside that of the graphics card.
HARMLESS = {("CudnnRNNBackpropV2", "host_reserved"), ("CudnnRNNBackpropV3", "host_reserved")}


def registry() -> op_def_pb2.OpList:
    """All operations of the installed TensorFlow."""
    operations = op_def_pb2.OpList()
    content = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    operations.ParseFromString(content)
    return operations


def with_node(folder: Path, op: str) -> Path:
    """A SavedModel whose graph holds one more node of an operation, without arguments."""
    folder.mkdir(exist_ok=True)
    saved = saved_model_pb2.SavedModel()
    saved.meta_graphs.add().graph_def.node.add(name="node", op=op)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


def test_every_operation_with_an_argument_for_a_place_is_refused(tmp_path):
    tried = 0
    for operation in registry().op:
        arguments = {a.name for a in (*operation.input_arg, *operation.attr)}
        reaching = {name for name in arguments if REACHING.search(name)}
        if reaching - {name for op, name in HARMLESS if op == operation.name}:
            tried += 1
            with pytest.raises(ValueError, match=f"harmless.*: {operation.name}. If you trust"):
                check_saved_model(with_node(tmp_path / "model", operation.name))
    assert tried > 60


def test_operations_with_documented_files_are_not_allowed():
    """The text of each operation's documentation is a second witness beside its arguments."""
    word = re.compile(r"\b(filename|filesystem|socket|network address|gRPC|to disk)\b", re.I)
    documented = {
        name for name in OPERATIONS if word.search(getattr(tf.raw_ops, name).__doc__ or "")
    }
    assert documented == set()


def test_every_allowed_operation_exists_and_none_waits_prints_or_ends_the_process():
    known = {operation.name for operation in registry().op}
    assert known >= OPERATIONS
    dangerous = {"Abort", "SleepOp", "Print", "PrintV2", "PyFunc", "EagerPyFunc", "XlaCallModule"}
    assert not OPERATIONS & (dangerous | {"DecodeProtoV2", "ImmutableConst", "RemoteCall"} | SAVING)


def saved(module: tf.Module, folder: Path) -> Path:
    """A module with a signature `serve`, saved."""
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


class Records(tf.Module):
    """Writes a file through a dataset."""

    def __init__(self, target: str):
        super().__init__()
        self.target = target

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def serve(self, x):
        rows = tf.data.Dataset.from_tensor_slices(["a line"])
        tf.raw_ops.DatasetToTFRecord(
            input_dataset=rows._variant_tensor, filename=self.target, compression_type=""
        )
        return {"y": tf.reduce_sum(x, axis=1)}


class Gradient(tf.Module):
    """Writes a file when its gradient is computed."""

    def __init__(self, target: str):
        super().__init__()
        self.target = target

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def serve(self, x):
        @tf.custom_gradient
        def doubled(x):
            def backwards(upstream):
                tf.io.write_file(self.target, "here")
                return 2 * upstream

            return 2 * x, backwards

        return {"y": tf.reduce_sum(doubled(x), axis=1)}


@pytest.mark.parametrize(
    ("kind", "operation"), [(Records, "DatasetToTFRecord"), (Gradient, "WriteFile")]
)
def test_files_written_through_datasets_and_gradients_are_not(kind, operation, tmp_path):
    module = kind(str(tmp_path / "pwned"))
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    folder = str(tmp_path / "model")
    tf.saved_model.save(module, folder, signatures=module.serve, options=options)
    (tmp_path / "pwned").unlink(missing_ok=True)
    with pytest.raises(ValueError, match=operation):
        load(tmp_path / "model")
    assert not (tmp_path / "pwned").exists()


def first_graph(folder: Path, saver: bool) -> Path:
    """A graph of TensorFlow 1 with a variable, and with its saver or without."""
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 2), name="x")
        scale = v1.get_variable("scale", initializer=[[2.0], [3.0]])
        y = tf.matmul(x, scale, name="y")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        signature = v1.saved_model.signature_def_utils.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            saver=v1.train.Saver([scale], sharded=True) if saver else None,
        )
        builder.save()
    return folder


def changed(folder: Path, change) -> Path:
    """The SavedModel after its graph was changed."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())
    return folder


@pytest.mark.parametrize("saver", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_a_graph_that_saves_its_own_variables_is_loaded(saver, tmp_path):
    function = load(first_graph(tmp_path / "model", saver))[0].function
    assert function({"x": tf.constant([[1.0, 1.0]])})["y"].numpy() == pytest.approx(5.0)


def by_control(graph) -> None:
    """The signature's output waits for the saver."""
    node = next(node for node in graph.graph_def.node if node.name == "y")
    node.input.append("^" + graph.saver_def.save_tensor_name.partition(":")[0])


def by_restoring(graph) -> None:
    """A function that restores variables also saves them."""
    name = graph.saver_def.restore_op_name
    node = next(node for node in graph.graph_def.node if node.name == name)
    node.input.append("^" + graph.saver_def.save_tensor_name.partition(":")[0])


def from_elsewhere(graph) -> None:
    """Variables are restored from a path of the model's choosing."""
    elsewhere = graph.graph_def.node.add(name="elsewhere", op="Const")
    elsewhere.attr["dtype"].type = tf.string.as_datatype_enum
    elsewhere.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/etc/passwd"))
    for node in graph.graph_def.node:
        if node.op == "RestoreV2":
            node.input[0] = "elsewhere"


def in_a_cycle(graph) -> None:
    """The path is looked for in a circle."""
    graph.graph_def.node.add(name="one", op="Identity", input=["other"])
    graph.graph_def.node.add(name="other", op="Identity", input=["one"])
    for node in graph.graph_def.node:
        if node.op == "RestoreV2":
            node.input[0] = "one"


@pytest.mark.parametrize(
    ("change", "operation"),
    [
        (by_control, "SaveV2"),
        (by_restoring, "SaveV2"),
        (from_elsewhere, "RestoreV2 of another path"),
        (in_a_cycle, "RestoreV2 of another path"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_savers_are_let_run_by_nothing_but_saving(change, operation, tmp_path):
    folder = changed(first_graph(tmp_path / "model", False), change)
    with pytest.raises(ValueError, match=operation):
        check_saved_model(folder)


class Plain(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.Variable([2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def serve(self, x):
        return {"y": tf.reduce_sum(self.scale * x, axis=1)}


def saver_of(graph) -> str:
    """The function that saves variables."""
    return next(
        function.signature.name
        for function in graph.graph_def.library.function
        if any(node.op == "SaveV2" for node in function.node_def)
    )


def called_by_name(graph) -> None:
    function = graph.graph_def.library.function[0]
    function.node_def.add(name="another", op=saver_of(graph))


def called_by_attribute(graph) -> None:
    function = graph.graph_def.library.function[0]
    node = function.node_def.add(name="another", op="StatefulPartitionedCall")
    node.attr["f"].func.name = saver_of(graph)


def called_by_an_inner_attribute(graph) -> None:
    function = graph.graph_def.library.function[0]
    node = function.node_def.add(name="another", op="StatefulPartitionedCall")
    node.attr["f"].func.attr["g"].list.func.add(name=saver_of(graph))


def as_a_gradient(graph) -> None:
    graph.graph_def.library.registered_gradients.add(
        gradient_func=saver_of(graph), registered_op_type="any"
    )


def as_an_object(graph) -> None:
    node = graph.object_graph_def.nodes.add()
    node.bare_concrete_function.concrete_function_name = saver_of(graph)


def as_a_substitute(graph) -> None:
    for function in graph.graph_def.library.function:
        function.attr["api_implements"].s = b"the same"


@pytest.mark.parametrize(
    "change",
    [
        called_by_name,
        called_by_attribute,
        called_by_an_inner_attribute,
        as_a_gradient,
        as_an_object,
        as_a_substitute,
    ],
)
def test_the_saver_of_a_model_is_called_by_nothing_else(change, tmp_path):
    folder = saved(Plain(), tmp_path / "model")
    check_saved_model(folder)
    with pytest.raises(ValueError, match="SaveV2"):
        check_saved_model(changed(folder, change))


def test_a_function_does_not_pass_for_an_operation(tmp_path):
    folder = saved(Plain(), tmp_path / "model")

    def disguised(graph):
        graph.graph_def.library.function[0].signature.name = "WriteFile"
        graph.graph_def.node.add(name="another", op="WriteFile")

    with pytest.raises(ValueError, match="WriteFile"):
        check_saved_model(changed(folder, disguised))


def test_a_small_file_does_not_hold_a_huge_constant(tmp_path):
    folder = saved(Plain(), tmp_path / "model")

    def swollen(graph):
        node = graph.graph_def.node.add(name="huge", op="Const")
        for size in (2**20, 2**20):
            node.attr["value"].tensor.tensor_shape.dim.add(size=size)

    with pytest.raises(ValueError, match="Const of"):
        check_saved_model(changed(folder, swollen))


@pytest.mark.parametrize(
    "place", ["saved_model.pb", "fingerprint.pb", "variables/variables.index", "debug/info.pb"]
)
def test_a_pipe_in_the_folder_is_not_waited_for(place, tmp_path):
    folder = saved(Plain(), tmp_path / "model")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).unlink(missing_ok=True)
    os.mkfifo(folder / place)
    with pytest.raises(ValueError, match=f"holds '{place}', which is neither a file nor a folder"):
        load(folder)


def test_a_device_in_the_folder_is_not_read(tmp_path):
    folder = saved(Plain(), tmp_path / "model")
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pb").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        load(folder)


def test_a_user_who_vouches_for_an_operation_may_allow_it(tmp_path):
    folder = saved(Records(str(tmp_path / "records")), tmp_path / "model")
    with pytest.raises(ValueError) as raised:
        load_model(folder)
    named = re.search(r"network: (.*?)\. If you trust", str(raised.value))[1].split(", ")
    assert "DatasetToTFRecord" in named
    model = load_model(folder, allow_operations=named)
    function = model.function
    assert recorded({"model": model})["allow_operations"] == named
    assert function({"x": tf.ones((1, 2))})["y"].numpy() == pytest.approx([2.0])
    with pytest.raises(ValueError, match="list of names"):
        load_model(folder, allow_operations="PrintV2")


@pytest.mark.slow
def test_models_of_keras_are_allowed_whatever_their_layers(tmp_path):
    layers = keras.layers
    x = keras.Input((8, 8, 3))
    image = layers.Conv2D(4, 3, activation="gelu")(layers.Rescaling(1 / 255)(x))
    image = layers.MaxPooling2D()(layers.BatchNormalization()(image))
    image = layers.SeparableConv2D(4, 2)(layers.Resizing(6, 6)(image))
    rows = layers.Reshape((-1, 4))(layers.UpSampling2D()(layers.Dropout(0.5)(image)))
    rows = layers.LSTM(3, return_sequences=True)(layers.GRU(3, return_sequences=True)(rows))
    rows = layers.LayerNormalization()(layers.MultiHeadAttention(2, 2)(rows, rows))
    y = layers.Dense(1)(layers.GlobalAveragePooling1D()(rows))
    model = keras.Model(x, y)
    model.export(tmp_path / "model", verbose=False)
    values = np.ones((2, 8, 8, 3), "float32")
    loaded = load(tmp_path / "model")[0]
    found = next(iter(loaded.function({next(iter(loaded.specs)): tf.constant(values)}).values()))
    assert found.numpy() == pytest.approx(model(values).numpy(), abs=1e-5)
