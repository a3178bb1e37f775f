"""The states that training leaves on disk to resume from (finished models: `models.store`).

A state is saved in the background while training goes on. Restoring takes the newest save that can be read; one that
was damaged is skipped with a warning.
"""

from __future__ import annotations

from typing import Any

from etils import epath
from orbax.checkpoint import v1 as ocp

from rstar_jax.files import AnyPath
from rstar_jax.models.saved import SUMS, bit_sums, newest_readable

_KEPT_STATES = 2  # the newest and, should it be damaged, the one before


class Checkpoints:
    """The saved states of a training run. Use as a context manager: leaving waits for the save under way."""

    def __init__(self, folder: AnyPath):
        keep = ocp.training.preservation_policies.LatestN(_KEPT_STATES)
        self._folder = epath.Path(folder).absolute()
        self._checkpointer = ocp.training.Checkpointer(
            self._folder,
            preservation_policy=keep,  # pyright: ignore[reportArgumentType]  # Orbax's own class
            cleanup_tmp_directories=True,
            lightweight_initialize=True,  # whether a save's metadata can be read shows when it is restored
        )
        self._under_way: Any = None

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self._checkpointer.close()

    def save(self, step: int, state: Any) -> None:
        """Start saving, after an earlier save is done; when this returns, `state` may be donated."""
        # A save of this step that exists already could not be restored, or it would have been started from.
        about: Any = {SUMS: bit_sums(state)}
        self._under_way = self._checkpointer.save_async(
            step, state, force=True, overwrite=True, custom_metadata=about
        )

    def wait(self) -> None:
        """Until the last save is on disk. Raises what saving raised."""
        if self._under_way is not None:
            self._under_way.result()

    def restore(self, abstract: Any) -> Any | None:
        """The newest state that can be read, on the devices that `abstract` names; None if there is none."""
        return newest_readable(self._folder, abstract)
