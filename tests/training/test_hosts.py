"""How the processes of a run meet; several real ones are in `tests/experiments`."""

from __future__ import annotations

import pytest

from rstar_jax.errors import InputError
from rstar_jax.training.hosts import Hosts, first_alone


def test_where_they_meet_is_said_whole_or_not_at_all() -> None:
    assert Hosts() == Hosts(None, None, None)
    for some in ({"coordinator": "host:1"}, {"processes": 2}, {"process": 0, "processes": 2}):
        with pytest.raises(InputError, match="together"):
            Hosts(**some)
    for number in (2, -1):
        with pytest.raises(InputError, match="numbered from 0"):
            Hosts("host:1", 2, number)


def test_one_process_does_it_once() -> None:
    done = []
    assert first_alone(lambda: done.append(0)) is None
    assert done == [0]
