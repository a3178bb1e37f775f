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


def test_beams():
    """Sizes of the released sft_eval_bs.yaml, and of the recipes of DVTS; the PPM scores steps and answers."""
    beam, dvts = presets.beam(), presets.dvts()
    assert [(one.beam, one.candidates, one.max_depth) for one in (beam, dvts)] == [(8, 8, 16), (1, 4, 16)]
    assert [(one.prior, one.terminal, one.answer_candidates) for one in (beam, dvts)] == [("visit", "ppm", 4)] * 2
    assert presets.beam(8, 2).answer_candidates == 2
    others = (presets.paper("test"), presets.released("eval"), presets.default("eval"))
    assert all(preset.beam is None for preset in others)


@pytest.mark.parametrize("preset", [presets.paper, presets.released, presets.default])
def test_unknown_names_are_refused(preset):
    with pytest.raises(ValueError, match="'fifth'"):
        preset("fifth")
