"""States that a training leaves on disk, each in a numbered folder: the newest one that can be read.

A state is saved together with sums over the bits of its arrays (`bit_sums`), as the files themselves would not show a
bit that has changed. The sums are of whole arrays, so a state may come back on another mesh, or in part.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.experimental import multihost_utils
from orbax.checkpoint import v1 as ocp

from rstar_jax.files import AnyPath

SUMS = "bit_sums"  # in the metadata of a save


def bit_sums(state: Any) -> dict[str, int]:
    """For each array by its path: its numbers' bits, read as unsigned integers, added modulo 2^32."""
    arrays = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree.leaves_with_path(state)
    }
    return {name: int(total) for name, total in jax.device_get(_sums(arrays)).items()}


@jax.jit
def _sums(arrays: dict[str, jax.Array]) -> dict[str, jax.Array]:
    def total(array: jax.Array) -> jax.Array:
        bits = jax.lax.bitcast_convert_type(array, jnp.dtype(f"uint{8 * array.dtype.itemsize}"))
        return jnp.sum(bits.astype(jnp.uint32), dtype=jnp.uint32)

    return jax.tree.map(total, arrays)


def newest_readable(folder: AnyPath, abstract: Any, partial: bool = False) -> Any | None:
    """The newest state in `folder`, on the devices that `abstract` names; None if there is none.

    One that is damaged is skipped with a warning, by all processes if one of them finds it damaged. With `partial`,
    `abstract` may lack branches, which then are not read.
    """
    for path in _newest_first(epath.Path(folder).absolute()):
        found, problem = _tried(functools.partial(_load_alone, path, abstract, partial))
        if problem is None:
            _, problem = _tried(functools.partial(_check, *found))
        if problem is None:
            return found[0]
        warnings.warn(f"{path} cannot be restored and is skipped: {problem}", stacklevel=2)
    return None


def _newest_first(folder: epath.Path) -> list[epath.Path]:
    """A save has its number for a name once it is complete."""
    found = [path for path in folder.iterdir() if path.name.isdigit()] if folder.exists() else []
    return sorted(found, key=lambda path: -int(path.name))


def _load_alone(path: epath.Path, abstract: Any, partial: bool) -> tuple[Any, dict[str, int]]:
    """The state and the sums of when it was saved.

    Each process reads its devices' parts without waiting for others, who may have failed already.
    """
    context = ocp.Context()
    context.multiprocessing.primary_host = jax.process_index()
    context.multiprocessing.active_processes = {jax.process_index()}
    context.pytree.loading.partial_load = partial
    with context:
        about: Any = ocp.metadata(path).custom_metadata
        return ocp.load(path, abstract), about[SUMS]


def _check(state: Any, sums: dict[str, int]) -> None:
    changed = [name for name, total in bit_sums(state).items() if sums[name] != total]
    if changed:
        raise ValueError(f"bits have changed in {', '.join(changed)}")


def _tried(action: Callable[[], Any]) -> tuple[Any, Exception | str | None]:
    """What it gives, and what went wrong, here or in another process."""
    try:
        found, problem = action(), None
    except Exception as error:  # Orbax and TensorStore have no common error for a damaged save
        found, problem = None, error
    if jax.process_count() > 1 and not np.all(multihost_utils.process_allgather(np.asarray(problem is None))):
        problem = problem or "another process cannot read it"
    return found, problem
