"""How the processes of a run meet; several real ones are in `tests/experiments`."""

from __future__ import annotations

import jax
import pytest

from rstar_jax.errors import InputError
from rstar_jax.training.hosts import Hosts, first_alone, mesh_over_all


def test_where_they_meet_is_said_whole_or_not_at_all() -> None:
    assert Hosts() == Hosts(None, None, None)
    for some in ({"coordinator": "host:1"}, {"processes": 2}, {"process": 0, "processes": 2}):
        with pytest.raises(InputError, match="together"):
            Hosts(**some)
    for number in (2, -1):
        with pytest.raises(InputError, match="numbered from 0"):
            Hosts("host:1", 2, number)


def test_a_mesh_of_more_devices_than_there_are_is_refused() -> None:
    assert mesh_over_all(1, 1, 1).size == 1
    too_many = jax.device_count() + 1
    with pytest.raises(InputError, match=f"for {too_many} devices; here are {jax.device_count()}"):
        mesh_over_all(1, too_many, 1)


def test_one_process_does_it_once() -> None:
    done = []
    assert first_alone(lambda: done.append(0)) is None
    assert done == [0]
