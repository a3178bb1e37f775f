"""Published architectures have the numbers of parameters that their model cards and files say."""

from __future__ import annotations

import jax
import pytest

from rstar_jax.models.decoder import init_params
from rstar_jax.models.published import PUBLISHED, published


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("qwen2.5-0.5b", 494_032_768),
        ("qwen2.5-math-1.5b", 1_543_714_304),
        ("qwen2.5-math-7b", 7_615_616_512),
        ("qwen2.5-math-72b", 72_706_203_648),
        ("qwen3-0.6b", 596_049_920),
        ("qwen3-8b", 8_190_735_360),
        ("llama-2-7b", 6_738_415_616),
        ("llama-3.1-8b", 8_030_261_248),
        ("llama-3.2-1b", 1_235_814_400),
        ("phi-3-mini-4k", 3_821_079_552),
    ],
)
def test_parameters(name, count):
    config = published(name)
    params = jax.eval_shape(lambda: init_params(config, jax.random.key(0)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_all_of_them_are_supported():
    assert all(published(name).n_layers for name in PUBLISHED)
