"""Names of slices, and what comes into a chip over its links."""

from __future__ import annotations

import math

import pytest

from rstar_jax.ahead_of_time import topology
from rstar_jax.ahead_of_time.chips import CHIPS, SLICES, parse_slice
from rstar_jax.errors import InputError


@pytest.mark.parametrize(
    ("name", "libtpu", "chips"),
    [
        ("v5p:4x4x4", "v5p:4x4x4", 64),
        ("v5p-128", "v5p:4x4x4", 64),  # cores
        ("v5e-16", "v5e:4x4", 16),
        ("v6e-256", "v6e:16x16", 256),
    ],
)
def test_names(name, libtpu, chips):
    place = parse_slice(name)
    assert (place.name, place.n_chips) == (libtpu, chips)


def test_every_slice_has_the_chips_that_its_name_counts():
    for name in SLICES:
        kind, count = name.split("-")
        assert parse_slice(name).n_chips == int(count) // (2 if kind in ("v4", "v5p") else 1)


@pytest.mark.parametrize("name", ["v5p", "v9:2x2", "v5e:2xx2", "v5e:0x2", "v5e-17", ""])
def test_other_names_are_one_sentence(name):
    with pytest.raises(InputError, match="no topology"):
        parse_slice(name)


def test_bandwidth_of_a_group():
    cube, link = parse_slice("v5p:4x4x4"), CHIPS["v5p"].ici_bandwidth / 3
    assert cube.ici_bandwidth(64) == pytest.approx(3 * link)
    assert cube.ici_bandwidth(16) == pytest.approx(2 * link)
    assert cube.ici_bandwidth(2) == pytest.approx(link)
    assert cube.ici_bandwidth(1) == math.inf
    # The ends of a side of 4 of a v5e are not connected.
    assert parse_slice("v5e:4x4").ici_bandwidth(16) == pytest.approx(CHIPS["v5e"].ici_bandwidth / 2)
    assert parse_slice("v5e:16x16").ici_bandwidth(256) == pytest.approx(CHIPS["v5e"].ici_bandwidth)


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        ("v5p:4x4x4", (True, True, True)),
        ("v5p:2x4x4", (False, True, True)),
        ("v5e:16x16", (True, True, False)),
        ("v5e:4x4", (False, False, False)),
    ],
)
def test_which_ends_are_connected(name, wrap):
    assert parse_slice(name).wrap == wrap


def test_without_libtpu_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(topology.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"\[topology\]"):
        topology.topology(parse_slice("v5e:2x2"))
