"""A base model that others have trained, as the base of a run."""

from __future__ import annotations

import dataclasses
import types

import jax
import numpy as np
import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.base_model import BaseConfig, PublishedBase
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.stages import make_base
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.convert import Options, convert
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import describe, load_model, save_model
from rstar_jax.trajectory.tags import POLICY_TOKENS
from rstar_jax.trajectory.tokenizer import load_tokenizer, train_tokenizer


@pytest.fixture
def published(tmp_path):
    """A tiny model as a Hugging Face folder, without the tokens of the format."""
    tokenizer = train_tokenizer(["What is 1 + 1?"] * 9, 300)
    model = ModelConfig(tokenizer.vocab_size, d_model=8, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=4, d_ff=8)
    with jax.set_mesh(make_mesh()):
        save_model(tmp_path / "ours", model, "lm", init_params(model, jax.random.key(0)), tokenizer)
    convert(Options(str(tmp_path / "ours"), tmp_path / "published", to="hf"))
    return tmp_path / "published"


def lab_of(tmp_path, base: PublishedBase) -> Lab:
    mesh, nobody = make_mesh(), types.SimpleNamespace()
    return Lab(EvolutionConfig("x", base=base), RunDir(tmp_path / "run"), mesh, nobody, nobody)


def test_it_becomes_a_model_of_the_run_with_the_tokens_of_the_format(tmp_path, published) -> None:
    lab = lab_of(tmp_path, PublishedBase(str(published), compute="float32"))
    with jax.set_mesh(lab.mesh):
        make_base(lab)
        made, again = load_model(lab.run.base, lab.mesh)[1], lab.run.base / "config.json"
        written = again.stat().st_mtime_ns
        make_base(lab)
    assert again.stat().st_mtime_ns == written
    assert all(len(lab.tokenizer.encode(token)) == 1 for token in POLICY_TOKENS)
    assert lab.tokenizer.encode("1 + 1") == load_tokenizer(published).encode("1 + 1")
    assert lab.model_config == describe(lab.run.base).config
    assert lab.model_config.vocab_size == lab.tokenizer.vocab_size
    theirs = load_model(published, lab.mesh)[1]
    jax.tree.map(np.testing.assert_array_equal, made["blocks"], theirs["blocks"])


def test_a_context_that_it_cannot_read_is_refused(tmp_path, published) -> None:
    lab = lab_of(tmp_path, PublishedBase(str(published)))
    lab.config = dataclasses.replace(lab.config, engine=EngineConfig(max_length=1_000_000))
    with pytest.raises(InputError, match="not 1000000"):
        make_base(lab)
    assert not lab.run.base.exists()


def test_either_the_run_trains_it_or_others_have() -> None:
    with pytest.raises(ValueError, match="needs a model"):
        EvolutionConfig("x", base=BaseConfig())
    with pytest.raises(ValueError, match="brings its own"):
        EvolutionConfig("x", ModelConfig(8, 8, 1, 1, 1, 8, 8), base=PublishedBase("some/model"))
