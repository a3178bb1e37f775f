"""The tensors of a model, as far as costs go: how many numbers, and over which axes of the mesh they are split."""

from __future__ import annotations

import dataclasses
import functools
import math

import jax

from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import init_params, logical_axes
from rstar_jax.models.sharding import RULES


@dataclasses.dataclass(frozen=True)
class Weight:
    """A tensor of each of `layers` layers, or of the outer part (1). elements: of one layer.

    is_matrix: it reads or writes the stream, so it rests split over fsdp. over_tensor: it is split over tensor too.
    """

    name: str
    elements: int
    layers: int
    is_matrix: bool
    over_tensor: bool

    def gathered(self, tensor: int) -> int:
        """Elements on a chip when it is in use."""
        return self.elements // (tensor if self.over_tensor else 1)


@functools.cache
def weights(model: ModelConfig, head: Head) -> tuple[Weight, ...]:
    """All tensors of a model."""
    shapes = jax.eval_shape(lambda: init_params(model, jax.random.key(0), head))
    axes = jax.tree_util.tree_leaves_with_path(logical_axes(model, head), is_leaf=lambda x: isinstance(x, tuple))
    found = []
    for (path, names), leaf in zip(axes, jax.tree.leaves(shapes), strict=True):
        layers = leaf.shape[0] if names[:1] == ("layers",) else 1
        over_tensor = any(name is not None and getattr(RULES, name) == "tensor" for name in names)
        name = ".".join(str(key.key) for key in path)
        found.append(Weight(name, math.prod(leaf.shape) // layers, layers, "embed" in names, over_tensor))
    return tuple(found)


def head_elements(model: ModelConfig, head: Head) -> int:
    """Elements of the matrix that makes the output: logits, or a value."""
    return model.rows * model.d_model if head == "lm" else model.d_model


def block_elements(model: ModelConfig, head: Head = "lm", tensor: int = 1) -> int:
    """Elements of all matrices of all layers, on a chip that has its part of `tensor` and all of fsdp."""
    return sum(one.gathered(tensor) * one.layers for one in weights(model, head) if _in_block(one))


def outer_elements(model: ModelConfig, head: Head, tensor: int = 1) -> int:
    """The same of the embedding, and of an LM head that is no part of it."""
    return sum(one.gathered(tensor) for one in weights(model, head) if one.is_matrix and not _in_block(one))


def _in_block(one: Weight) -> bool:
    return one.is_matrix and one.name.startswith("blocks")
