"""Saves: what is saved stays what it was, and what is damaged is skipped for the one before."""

from __future__ import annotations

import os
import pathlib
import shutil
import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.training.checkpoints import Checkpoints

N = 40_000  # numbers of an array: enough to stand in a data file of its own


def state(step: int) -> dict:
    random = np.random.default_rng(step)
    arrays = {name: jnp.asarray(random.normal(size=N), jnp.float32) for name in ("a", "b")}
    return {"step": jnp.int32(step), "params": arrays}


def abstract() -> dict:
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), state(0))


def restored(folder: pathlib.Path) -> dict | None:
    with Checkpoints(folder) as saves:
        return saves.restore(abstract())


@pytest.fixture(scope="module")
def two_saves(tmp_path_factory) -> pathlib.Path:
    """Steps 3 and 6."""
    folder = tmp_path_factory.mktemp("saves")
    with Checkpoints(folder) as saves:
        for step in (3, 6):
            saves.save(step, state(step))
    return folder


def assert_equal(found: dict | None, wanted: dict) -> None:
    assert found is not None
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_the_newest_is_restored_and_two_are_kept(tmp_path) -> None:
    assert restored(tmp_path / "none") is None
    with Checkpoints(tmp_path / "some") as saves:
        for step in (3, 6, 9):
            saves.save(step, state(step))
        saves.wait()
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["6", "9"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_equal(restored(tmp_path / "some"), state(9))


def test_a_state_may_be_donated_at_once(tmp_path) -> None:
    """Saving goes on in the background; what is saved is the state as it was."""
    change = jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf + 1, tree), donate_argnums=0)
    with Checkpoints(tmp_path) as saves:
        saved = state(3)
        saves.save(3, saved)
        for _ in range(3):
            saved = change(saved)
    assert_equal(restored(tmp_path), state(3))


def cut(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: pathlib.Path) -> None:
    os.truncate(path, 0)


def flip(path: pathlib.Path) -> None:
    """One bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax leaves failed reads behind
@pytest.mark.parametrize("damage", [cut, empty, pathlib.Path.unlink, flip])
def test_damage_to_any_file(damage: Callable[[pathlib.Path], None], two_saves, tmp_path) -> None:
    """Whatever file of the newest save it is: it is either not needed, or the save before is used, with a warning."""
    names = [path.relative_to(two_saves) for path in (two_saves / "6").rglob("*") if path.is_file()]
    assert len(names) > 5
    skipped = 0
    for number, name in enumerate(names):
        folder = shutil.copytree(two_saves, tmp_path / str(number))
        if not (folder / name).stat().st_size:
            continue
        damage(folder / name)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = restored(folder)
        warned = any("6 cannot be restored and is skipped" in str(warning.message) for warning in said)
        skipped += warned
        assert_equal(found, state(3 if warned else 6))
    assert skipped >= (1 if damage is flip else 3)


def test_all_damaged_is_none(two_saves, tmp_path) -> None:
    folder = shutil.copytree(two_saves, tmp_path / "all")
    for path in folder.rglob("*"):
        if path.is_file():
            empty(path)
    with pytest.warns(UserWarning, match="cannot be restored"):
        assert restored(folder) is None
