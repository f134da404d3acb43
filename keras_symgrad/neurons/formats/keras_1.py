"""Layers of Keras 1 in the words of Keras 2: names of classes and of arguments.

Keras 2.0 renamed most arguments (`output_dim` became `units`, `init` became `kernel_initializer`)
and joined some (`nb_row` and `nb_col` became `kernel_size`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "TimeDistributedDense": "Dense",
}
# By class, before those of all classes.
ARGUMENTS: dict[str, dict[str, str]] = {
    "Embedding": {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer"},
    "Dropout": {"p": "rate"},
    "SpatialDropout1D": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate"},
    "SpatialDropout3D": {"p": "rate"},
    "GaussianDropout": {"p": "rate"},
    "GaussianNoise": {"sigma": "stddev"},
    "UpSampling1D": {"length": "size"},
    "MaxPooling1D": {"pool_length": "pool_size", "stride": "strides"},
    "AveragePooling1D": {"pool_length": "pool_size", "stride": "strides"},
}
RENAMED = {
    "output_dim": "units",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
DATA_FORMATS = {"tf": "channels_last", "th": "channels_first"}
# Arguments that say how a network is trained, or that the computation is fast.
OF_TRAINING = frozenset(
    (
        *("init", "inner_init", "forget_bias_init", "depthwise_init", "pointwise_init"),
        *(
            "beta_init",
            "gamma_init",
            "consume_less",
            "weights",
            "input_dtype",
            "create_input_layer",
        ),
        *("W_regularizer", "U_regularizer", "b_regularizer", "W_constraint", "U_constraint"),
        *("b_constraint", "gamma_regularizer", "beta_regularizer"),
    )
)
MERGE_MODES = {
    "concat": "Concatenate",
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "dot": "Dot",
    "cos": "Dot",
}


def in_words_of_keras_2(class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A layer of Keras 1 as Keras 2 described it; one of Keras 2 stays as it is.

    Args:
        class_name: of the layer.
        config: its arguments.

    Returns:
        Class and arguments in the words of Keras 2.

    Raises:
        ValueError: the layer computes something that no layer of Keras 2 does.

    Example:

    >>> in_words_of_keras_2("Dense", {"output_dim": 3, "init": "uniform", "bias": True})
    ('Dense', {'units': 3, 'use_bias': True})
    """
    config = dict(config)
    if class_name == "Merge":
        return _merge(config)
    if class_name == "BatchNormalization" and config.pop("mode", 0):
        raise ValueError(
            "Batch normalization with `mode` 1 or 2, of Keras 1, has no counterpart in Keras 3."
        )
    if class_name == "Embedding":
        # Here `output_dim` kept its name.
        config.pop("dropout", None)
        renamed = {key: value for key, value in config.items() if key not in OF_TRAINING}
        return class_name, renamed
    if class_name == "TimeDistributedDense":
        config.pop("input_length", None)
    if "nb_row" in config:
        config["kernel_size"] = [config.pop("nb_row"), config.pop("nb_col")]
    if "kernel_dim1" in config:
        config["kernel_size"] = [config.pop(f"kernel_dim{k}") for k in (1, 2, 3)]
    if "dim_ordering" in config:
        ordering = config.pop("dim_ordering")
        if ordering != "default":
            config["data_format"] = DATA_FORMATS[ordering]
    names = RENAMED | ARGUMENTS.get(class_name, {})
    found = {names.get(key, key): value for key, value in config.items() if key not in OF_TRAINING}
    return CLASSES.get(class_name, class_name), found


def _merge(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    mode = config.get("mode")
    if mode not in MERGE_MODES or config.get("layers"):
        raise ValueError(
            f"A `Merge` layer of Keras 1 (mode {mode!r:.40}) joins branches by code or inside of a "
            "Sequential model, which has no counterpart in Keras 3."
        )
    found: dict[str, Any] = {key: config[key] for key in ("name", "trainable") if key in config}
    if mode == "concat":
        found["axis"] = config.get("concat_axis", -1)
    if mode in ("dot", "cos"):
        found |= {"axes": config.get("dot_axes", -1), "normalize": mode == "cos"}
    return MERGE_MODES[mode], found
