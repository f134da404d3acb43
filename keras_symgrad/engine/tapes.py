"""Tapes: populations of trees as arrays for one compiled program.

A tree becomes instructions (operator, argument slots), one for every inner node and constant. Those
of a chunk of trees stand in the order of their heights, and at each height operator by operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from deap import gp

from keras_symgrad.expressions import CONSTANT_CODE, FIRST_VARIABLE_CODE


@dataclass(frozen=True)
class Layout:
    """Array sizes for which the interpreter is compiled.

    Args:
        arities: number of arguments of each operator, in the order of their codes.
        variables: number of columns.
        trees: largest number of trees in a chunk.
        instructions: largest number of instructions in a chunk.
        chunks: largest number of chunks in a call.
        leaves: largest number of variable leaves of one tree.
    """

    arities: tuple[int, ...]
    variables: int
    trees: int = 16
    instructions: int = 320
    chunks: int = 32
    leaves: int = 64

    @property
    def arity(self) -> int:
        """Argument slots of an instruction."""
        return max(self.arities)

    @property
    def constant_operator(self) -> int:
        """Instruction code that loads a constant."""
        return len(self.arities)

    @property
    def unit_slot(self) -> int:
        """Slot of the adjoint buffer that holds the root's adjoint, 1."""
        return self.instructions * self.arity


@dataclass
class Tapes:
    """Chunks of padded tapes; the first axis of every array is the chunk.

    Attributes:
        operator: `(chunks, instructions)`, the operator of each instruction.
        argument: `(chunks, instructions, arity)`, value slots that it reads: first those of the
            columns, then one for each instruction.
        adjoint: `(chunks, instructions)`, slot of the adjoint that its parent computed.
        constant: `(chunks, instructions)`, values of the constant-loading instructions.
        lane: the same shape, the tangent lane of that constant, counted from 1; 0 for none.
        loads: `(chunks,)`, number of instructions that load constants; they come first.
        used: `(chunks,)`, number of instructions.
        root: `(chunks, trees)`, value slot of each tree's root.
        leaf: `(chunks, trees, leaves)`, adjoint slots of the variable leaves.
        leaf_variable: the same shape, their columns, ascending for every tree.
        leaf_is_last: the same shape, 1 for the last leaf of its column, else 0.
        leaf_count: `(chunks, trees)`, number of variable leaves.
        tree: `(chunks, trees)`, the tree's number in the population, -1 for padding.
        constant_at: `(constants, 2)`, chunk and instruction of every constant, in the order of
            trees and, within a tree, of its nodes.
        constant_tree: `(constants,)`, the tree each constant belongs to.
    """

    operator: np.ndarray
    argument: np.ndarray
    adjoint: np.ndarray
    constant: np.ndarray
    lane: np.ndarray
    loads: np.ndarray
    used: np.ndarray
    root: np.ndarray
    leaf: np.ndarray
    leaf_variable: np.ndarray
    leaf_is_last: np.ndarray
    leaf_count: np.ndarray
    tree: np.ndarray
    constant_at: np.ndarray
    constant_tree: np.ndarray

    def set_constants(self, values: np.ndarray) -> None:
        """Replace all constants, given in the order of `constant_at`."""
        self.constant[tuple(self.constant_at.T)] = values

    def constants(self) -> np.ndarray:
        """All constants, in the order of `constant_at`."""
        return self.constant[tuple(self.constant_at.T)]


def assemble(
    trees: Sequence[gp.PrimitiveTree], layout: Layout, dtype: str | np.dtype = "float32"
) -> Tapes:
    """Tapes of a population.

    Args:
        trees: trees over the layout's operators and variables.
        layout: the sizes to pack them into.
        dtype: of the constants.

    Returns:
        The tapes, with as many chunks as the population needs.

    Raises:
        ValueError: one tree alone does not fit the layout.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, square"), ["x1", "x2"])
    >>> tapes = assemble([alphabet.tree(["add", "square", 0, 2.5])], Layout((2, 1), 2))
    >>> tapes.operator[0, :3], tapes.constants()
    (array([2, 1, 0], dtype=int32), array([2.5], dtype=float32))
    """
    nodes = _Nodes(trees, layout)
    per_chunk = layout.trees
    while True:
        chunk_of_tree = nodes.rank // per_chunk
        packing = _pack(nodes, chunk_of_tree)
        if packing.used.max(initial=0) <= layout.instructions:
            break
        if per_chunk == 1:
            raise ValueError(
                f"A tree of {max(map(len, trees))} nodes does not fit into tapes of "
                f"{layout.instructions} instructions. Limit the size of trees."
            )
        per_chunk //= 2
    return _write(nodes, packing, chunk_of_tree, per_chunk, layout, dtype)


class _Nodes:
    """All nodes of a population in one array, with their children, parents and heights."""

    def __init__(self, trees: Sequence[gp.PrimitiveTree], layout: Layout):
        size = np.fromiter(map(len, trees), np.int64, len(trees))
        total = int(size.sum())
        self.code = np.fromiter(
            chain.from_iterable([[node.code for node in tree] for tree in trees]), np.int64, total
        )
        self.values = np.array(
            [node.value for tree in trees for node in tree if node.code == CONSTANT_CODE], float
        )
        self.tree = np.repeat(np.arange(len(trees)), size)
        self.is_constant = self.code == CONSTANT_CODE
        self.is_variable = self.code < CONSTANT_CODE
        self.column = FIRST_VARIABLE_CODE - self.code
        # Trees of similar size stand together, so that chunks take equally long.
        order = np.argsort(-size, kind="stable")
        self.rank = np.empty(len(trees), np.int64)
        self.rank[order] = np.arange(len(trees))
        self._link(size[order], np.cumsum(size)[order], layout)

    def _link(self, size: np.ndarray, end: np.ndarray, layout: Layout) -> None:
        total = self.code.size
        arity_of_code = np.concatenate([layout.arities, [0]])  # code -1 reads the last entry
        arity = np.where(self.is_variable, 0, arity_of_code[np.maximum(self.code, -1)])
        self.child = np.zeros((layout.arity, total), np.int64)
        self.parent = np.full(total, -1)
        self.side = np.zeros(total, np.int64)
        self.height = np.zeros(total, np.int64)
        stack = np.zeros((size.size, int(size.max(initial=1)) + 1), np.int64)
        depth = np.zeros(size.size, np.int64)
        rows = np.arange(size.size)
        # Each step reads one node of every tree that still has one, from the last to the first.
        for step in range(int(size.max(initial=0))):
            active = int(np.searchsorted(-size, -step))
            node = end[:active] - 1 - step
            arguments = arity[node]
            for side in range(layout.arity):
                has = np.flatnonzero(arguments > side)
                child = stack[has, depth[has] - 1 - side]
                parent = node[has]
                self.child[side, parent] = child
                self.parent[child] = parent
                self.side[child] = side
                self.height[parent] = np.maximum(self.height[parent], self.height[child] + 1)
            depth[:active] += 1 - arguments
            stack[rows[:active], depth[:active] - 1] = node
        self.root = np.empty(size.size, np.int64)
        self.root[np.argsort(self.rank)] = end - size


@dataclass
class _Packing:
    """Position of every instruction: sorted nodes with their chunk and place in it."""

    node: np.ndarray
    chunk: np.ndarray
    place: np.ndarray
    used: np.ndarray


def _pack(nodes: _Nodes, chunk_of_tree: np.ndarray) -> _Packing:
    node = np.flatnonzero(~nodes.is_variable)
    chunk = chunk_of_tree[nodes.tree[node]]
    # Constants have height 0, so they come first in their chunk.
    node = node[np.lexsort((nodes.code[node], nodes.height[node], chunk))]
    chunk = chunk_of_tree[nodes.tree[node]]
    used = np.bincount(chunk, minlength=int(chunk_of_tree.max(initial=-1)) + 1)
    place = np.arange(node.size) - (np.cumsum(used) - used)[chunk]
    return _Packing(node, chunk, place, used)


def _write(
    nodes: _Nodes,
    packing: _Packing,
    chunk_of_tree: np.ndarray,
    per_chunk: int,
    layout: Layout,
    dtype: str | np.dtype,
) -> Tapes:
    chunks, arity = packing.used.size, layout.arity
    node, at = packing.node, (packing.chunk, packing.place)
    slot = nodes.column.copy()
    slot[node] = layout.variables + packing.place

    adjoint = np.full(nodes.code.size, layout.unit_slot)
    inner = nodes.parent >= 0
    parent = nodes.parent[inner]
    adjoint[inner] = (slot[parent] - layout.variables) * arity + nodes.side[inner]

    shape = (chunks, layout.instructions)
    operator = np.zeros(shape, np.int32)
    argument = np.zeros((*shape, arity), np.int32)
    adjoint_slot = np.full(shape, layout.unit_slot, np.int32)
    code = nodes.code[node]
    operator[at] = np.where(code == CONSTANT_CODE, layout.constant_operator, code)
    for side in range(arity):
        # Operators with fewer arguments read some other slot there, at no cost.
        argument[(*at, side)] = slot[nodes.child[side, node]]
    adjoint_slot[at] = adjoint[node]
    loads = np.bincount(at[0][code == CONSTANT_CODE], minlength=chunks)

    rank = nodes.rank % per_chunk
    root = np.zeros((chunks, layout.trees), np.int32)
    root[chunk_of_tree, rank] = slot[nodes.root]
    tree = np.full((chunks, layout.trees), -1)
    tree[chunk_of_tree, rank] = np.arange(rank.size)
    constant_at = np.zeros((nodes.code.size, 2), np.int64)
    constant_at[node] = np.stack(at, axis=1)

    tapes = Tapes(
        operator=operator,
        argument=argument,
        adjoint=adjoint_slot,
        constant=np.zeros(shape, dtype),
        lane=np.zeros(shape, np.int32),
        loads=loads.astype(np.int32),
        used=packing.used.astype(np.int32),
        root=root,
        **_leaves(nodes, adjoint, chunk_of_tree, rank, chunks, layout),
        tree=tree,
        constant_at=constant_at[nodes.is_constant],
        constant_tree=nodes.tree[nodes.is_constant],
    )
    tapes.set_constants(nodes.values)
    return tapes


def _leaves(
    nodes: _Nodes,
    adjoint: np.ndarray,
    chunk_of_tree: np.ndarray,
    rank: np.ndarray,
    chunks: int,
    layout: Layout,
) -> dict[str, np.ndarray]:
    leaf = np.flatnonzero(nodes.is_variable)
    leaf = leaf[np.lexsort((nodes.column[leaf], nodes.tree[leaf]))]
    tree, column = nodes.tree[leaf], nodes.column[leaf]
    index = np.arange(leaf.size)
    starts_tree = np.ones(leaf.size, bool)
    starts_tree[1:] = tree[1:] != tree[:-1]
    step = index - np.maximum.accumulate(np.where(starts_tree, index, 0))
    ends_column = np.ones(leaf.size, bool)
    ends_column[:-1] = (tree[1:] != tree[:-1]) | (column[1:] != column[:-1])
    if step.max(initial=0) >= layout.leaves:
        raise ValueError(
            f"A tree has {step.max() + 1} variable leaves, but the tapes hold at most "
            f"{layout.leaves}. Limit the size of trees."
        )
    shape = (chunks, layout.trees, layout.leaves)
    at = (chunk_of_tree[tree], rank[tree], step)
    arrays = {
        "leaf": np.full(shape, layout.unit_slot, np.int32),
        "leaf_variable": np.zeros(shape, np.int32),
        "leaf_is_last": np.zeros(shape, np.int32),
        "leaf_count": np.zeros(shape[:2], np.int32),
    }
    arrays["leaf"][at] = adjoint[leaf]
    arrays["leaf_variable"][at] = column
    arrays["leaf_is_last"][at] = ends_column
    np.add.at(arrays["leaf_count"], at[:2], 1)
    return arrays
