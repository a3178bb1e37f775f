"""Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal, for small models and few steps.

Not in the paper, which trains with AdamW. Embeddings, norms and biases keep Adam.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import jax
import optax
from jax.sharding import PartitionSpec as P
from optax.contrib import MuonDimensionNumbers, scale_by_muon

_UPDATE_RMS = 0.2  # of AdamW's updates, so that one learning rate suits both (Liu et al. 2025, section 2.2)
_MOMENTUM = 0.95


def scale_by_muon_and_adam(
    axes: Any, b1: float, b2: float, eps: float, mu_dtype: str = "float32"
) -> optax.GradientTransformation:
    """Updates of root mean square 0.2 for the layers' matrices, Adam's for all else.

    Args:
      axes: the parameters' logical axes (`decoder.logical_axes`). A matrix reads or writes the stream ("embed").
      mu_dtype: of momentum and of Adam's first moments.
    """
    labels = jax.tree.map(_label, axes, is_leaf=_is_axes)
    dimensions = jax.tree.map(
        lambda names: _dimensions(names) if _label(names) == "muon" else optax.MaskedNode(), axes, is_leaf=_is_axes
    )
    return optax.partition(
        {
            "muon": _gathered(dimensions, mu_dtype),
            "adam": optax.scale_by_adam(b1=b1, b2=b2, eps=eps, mu_dtype=mu_dtype),
        },
        labels,
    )


def _gathered(dimensions: Any, mu_dtype: str) -> optax.GradientTransformation:
    """Muon on whole matrices: orthogonality is a property of all of a matrix, so shards are brought together."""
    muon = scale_by_muon(beta=_MOMENTUM, weight_dimension_numbers=dimensions, mu_dtype=mu_dtype)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        places = jax.tree.map(lambda leaf: jax.typeof(leaf).sharding.spec, updates)
        whole = jax.tree.map(_whole, updates), jax.tree.map(_whole, state)
        updates, state = muon.update(*whole, params)
        updates = jax.tree.map(_scaled, dimensions, updates, is_leaf=_is_dimensions)
        momentum = jax.tree.map(jax.sharding.reshard, state.mu, places)
        return jax.tree.map(jax.sharding.reshard, updates, places), state._replace(mu=momentum)

    return optax.GradientTransformation(muon.init, update)


def _whole(leaf: jax.Array) -> jax.Array:
    return jax.sharding.reshard(leaf, P(*(None,) * leaf.ndim))


def _scaled(dimensions: MuonDimensionNumbers, update: jax.Array) -> jax.Array:
    """An orthogonal matrix of r x c has entries of root mean square max(r, c)^-1/2."""
    both = cast(Iterable[tuple[int, ...]], dimensions)
    rows, columns = (math.prod(update.shape[axis] for axis in axes) for axes in both)
    return update * _UPDATE_RMS * max(rows, columns) ** 0.5


def _label(names: tuple[str | None, ...]) -> str:
    return "muon" if "embed" in names and "vocab" not in names else "adam"


def _dimensions(names: tuple[str | None, ...]) -> MuonDimensionNumbers:
    """Which axes are the stream's and which the others'; layers are separate matrices."""
    stream = names.index("embed")
    others = tuple(axis for axis, name in enumerate(names) if axis != stream and name != "layers")
    return MuonDimensionNumbers((stream,), others) if stream < min(others) else MuonDimensionNumbers(others, (stream,))


def _is_axes(x: Any) -> bool:
    return isinstance(x, tuple) and not isinstance(x, MuonDimensionNumbers)


def _is_dimensions(x: Any) -> bool:
    return isinstance(x, MuonDimensionNumbers)
