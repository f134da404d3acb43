"""Sizes in the configurations of layers against a memory bound, before any layer is built."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

# One name a size: what an array or a loop of a layer is as large as.
SIZES = frozenset(
    (
        *("units", "filters", "input_dim", "output_dim", "depth_multiplier", "groups", "rank"),
        *("num_heads", "num_query_heads", "num_key_value_heads", "head_dim", "key_dim"),
        *("value_dim", "lora_rank", "kernel_size", "pool_size", "strides", "dilation_rate"),
        *("padding", "output_padding", "cropping", "size", "output_size", "height", "width"),
        *("tile_grid_size", "n", "num_tokens", "num_bins", "num_oov_indices", "max_tokens"),
        *("output_sequence_length", "max_number", "bins", "fft_length", "frame_length"),
        *("frame_step", "sequence_length", "sequence_stride", "num_mel_bins", "batch_size"),
        *("power_iterations", "chain_depth", "num_chains", "num_ops", "max_ndim", "min_ndim"),
        *("gptq_unpacked_column_size", "sliding_window"),
    )
)
# And those that end so, such as `batch_shape`, `target_shape` and `query_shape`.
SHAPE = "shape"
# Sizes of one layer that are multiplied.
PRODUCTS = (
    ("height", "width"),
    ("input_dim", "output_dim"),
    ("num_heads", "key_dim"),
    ("num_heads", "value_dim"),
    ("num_query_heads", "head_dim"),
    ("filters", "kernel_size"),
    ("filters", "depth_multiplier", "kernel_size"),
    ("fft_length", "num_mel_bins"),
    ("fft_length", "frame_length"),
)
# Below it a size is harmless, whatever the file holds.
MAX_SIZE = 2**20
# Values of an array that a layer makes: 1 GB in float32.
MAX_VALUES = 2**28


def check_sizes(config: Any, weights: int) -> None:
    """Raise if a layer would need more memory than a bound, and than its file's weights can fill.

    Args:
        config: of a model, plain data.
        weights: bytes that the file has for weights.

    Raises:
        ValueError: a size is larger than the weights and than a million, or the product of sizes
            that make one array is larger than the weights and than 2**28.
    """
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            _check_layer(part, weights)
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def _check_layer(config: dict[str, Any], weights: int) -> None:
    sizes = {name: list(_numbers(value)) for name, value in config.items() if _is_size(name)}
    for name, numbers in sizes.items():
        for number in numbers:
            if not number <= max(MAX_SIZE, weights):
                raise _too_large(f"{name}={str(number)[:30]}", weights)
    products: list[tuple[str, ...]] = [(name,) for name in sizes]
    products += [names for names in PRODUCTS if all(name in sizes for name in names)]
    for names in products:
        values = math.prod(max(number, 1) for name in names for number in sizes[name])
        if values > max(MAX_VALUES, weights):
            written = ", ".join(f"{name}={str(config[name])[:30]}" for name in names)
            raise _too_large(written, weights)


def _too_large(sizes: str, weights: int) -> ValueError:
    return ValueError(
        f"A layer of it is larger than its weights: {sizes}, with {weights:,} bytes of weights."
    )


def _is_size(name: Any) -> bool:
    return isinstance(name, str) and (name in SIZES or name.endswith(SHAPE))


def _numbers(value: Any) -> Iterator[float]:
    """All numbers in a value, which may be lists in lists."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left.extend(part)
        elif isinstance(part, (int, float)) and not isinstance(part, bool):
            yield part
