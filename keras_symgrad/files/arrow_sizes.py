"""Sizes of the columns in Arrow IPC files (`.feather`, `.arrow`), before anything is unpacked.

Each compressed buffer of a record batch begins with its unpacked size; where the buffers lie is in
the batch's metadata, a FlatBuffers table (https://arrow.apache.org/docs/format/Columnar.html).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Places of fields in the tables of Arrow's `Message.fbs`.
HEADER_TYPE, HEADER = 1, 2
BUFFERS, COMPRESSION = 2, 3
# The same of a footer.
DICTIONARY_BLOCKS, RECORD_BLOCKS = 2, 3
MAGIC, FEATHER_1 = b"ARROW1", b"FEA1"
# Kinds of messages.
DICTIONARY_BATCH, RECORD_BATCH = 2, 3
DICTIONARY_DATA = 1


def unpacked_bytes(path: Path) -> int:
    """The size that the columns of an Arrow file have in memory.

    Args:
        path: of an IPC file or stream.

    Returns:
        Bytes of all buffers, unpacked.

    Raises:
        ValueError: the file is damaged.
    """
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        start = file.read(8)
        if start[:4] == FEATHER_1:
            return path.stat().st_size  # it is not compressed
        if start[:6] != MAGIC:
            file.seek(0)
            return sum(map(_bytes_of, _messages(file)))
        # Readers go by the footer, which may refer to any place.
        total = 0
        for offset in _blocks(file):
            file.seek(offset)
            total += _bytes_of(pa.ipc.read_message(file))
        return total


def _messages(file: Any) -> Iterator[Any]:
    import pyarrow as pa

    while True:
        try:
            yield pa.ipc.read_message(file)
        except EOFError:
            return


def _blocks(file: Any) -> list[int]:
    """Places of the dictionaries and record batches of a file."""
    end = file.size() - len(MAGIC) - 4
    file.seek(end)
    size = struct.unpack("<i", file.read(4))[0]
    if not 0 < size <= end:
        raise ValueError("Its footer is damaged.")
    file.seek(end - size)
    footer = _Table.root(memoryview(file.read(size)))
    return [
        place
        for field in (DICTIONARY_BLOCKS, RECORD_BLOCKS)
        for place, _, _ in footer.vector(field, "<qqq")
    ]


def _bytes_of(message: Any) -> int:
    table = _Table.root(memoryview(message.metadata))
    kind, header = table.number(HEADER_TYPE, "<B"), table.table(HEADER)
    if kind == DICTIONARY_BATCH:
        header = header and header.table(DICTIONARY_DATA)
    if kind not in (DICTIONARY_BATCH, RECORD_BATCH) or header is None or message.body is None:
        return 0
    body, total = memoryview(message.body), 0
    packed = header.table(COMPRESSION) is not None
    for offset, length in header.vector(BUFFERS, "<qq"):
        # A size of -1 stands for a buffer that was left as it is.
        size = struct.unpack_from("<q", body, offset)[0] if packed and length >= 8 else -1
        total += max(size, length)
    return total


class _Table:
    """A table of FlatBuffers: its fields are found by a second table of their offsets."""

    def __init__(self, data: memoryview, place: int):
        self._data, self._place = data, place

    @classmethod
    def root(cls, data: memoryview) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def _field(self, number: int) -> int | None:
        offsets = self._place - struct.unpack_from("<i", self._data, self._place)[0]
        size = struct.unpack_from("<H", self._data, offsets)[0]
        if 4 + 2 * number >= size:
            return None
        offset = struct.unpack_from("<H", self._data, offsets + 4 + 2 * number)[0]
        return self._place + offset if offset else None

    def number(self, field: int, kind: str) -> int:
        place = self._field(field)
        return 0 if place is None else int(struct.unpack_from(kind, self._data, place)[0])

    def table(self, field: int) -> _Table | None:
        place = self._field(field)
        if place is None:
            return None
        return _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])

    def vector(self, field: int, kind: str) -> list[tuple[int, ...]]:
        """A vector of structures of whole numbers."""
        place = self._field(field)
        if place is None:
            return []
        place += struct.unpack_from("<I", self._data, place)[0]
        count = struct.unpack_from("<I", self._data, place)[0]
        content = self._data[place + 4 : place + 4 + struct.calcsize(kind) * count]
        return list(struct.iter_unpack(kind, content))
