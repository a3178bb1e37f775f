"""The named settings say what was published."""

from __future__ import annotations

import pytest

from rstar_jax.search import presets


def test_paper_sizes():
    sizes = [(presets.paper(name).rollouts, presets.paper(name).candidates) for name in (1, 2, 3, 4, "test")]
    assert sizes == [(8, 5), (16, 8), (16, 8), (16, 16), (4, 32)]


def test_paper_guidance():
    assert [presets.paper(name).prior for name in (1, 2, 3, 4)] == ["none", "none", "visit", "visit"]
    assert [presets.paper(name).terminal for name in (1, 4, "test")] == ["truth", "truth", "ppm"]
    assert presets.paper(2).c_puct == 2
    assert presets.paper(2).max_depth == 16


def test_released_sizes():
    names = ("bootstrap", "sample", "eval")
    assert [(presets.released(name).rollouts, presets.released(name).candidates) for name in names] == [
        (48, 12),
        (48, 12),
        (12, 32),
    ]
    assert [presets.released(name).errors_threshold for name in names] == [2, 1, 1]


@pytest.mark.parametrize("preset", [presets.paper, presets.released, presets.default])
def test_unknown_names_are_refused(preset):
    with pytest.raises(ValueError, match="'fifth'"):
        preset("fifth")
