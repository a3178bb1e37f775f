"""What is wrong with models is found before they load. (`tests/serve/test_processes.py` has whole ones at work.)"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib

import pytest

from rstar_jax.errors import InputError
from rstar_jax.files import write_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.sharding import make_mesh
from rstar_jax.thinking.models import Models
from rstar_jax.thinking.settings import default_settings
from rstar_jax.thinking.system import open_system
from rstar_jax.trajectory.tokenizer import train_tokenizer

MODEL = ModelConfig(vocab_size=300, d_model=8, n_layers=1, n_heads=1, n_kv_heads=1, head_dim=8, d_ff=8, max_length=256)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Folders of models without weights."""
    root = tmp_path_factory.mktemp("models")
    for name, head in (("policy", "lm"), ("ppm", "value")):
        write_json(root / name / "config.json", {"model": MODEL.to_json(), "head": head})
    train_tokenizer(["What?"], 300).save(root / "policy")
    write_json(root / "plain" / "config.json", {"model": MODEL.to_json(), "head": "lm"})
    known = (root / "policy" / "tokenizer.json").read_text().replace("<end_of_answer>", "<end_of_something>")
    (root / "plain" / "tokenizer.json").write_text(known)
    settings = (root / "policy" / "tokenizer_config.json").read_text()
    (root / "plain" / "tokenizer_config.json").write_text(settings)
    return root


@pytest.mark.parametrize(
    ("policy", "ppm", "context", "sentence"),
    [
        ("ppm", "ppm", 256, "ppm is a PPM, which writes nothing"),
        ("policy", "policy", 256, "policy is no PPM: it has no value head"),
        ("policy", "ppm", 512, "a context of 512 tokens: .*policy was made for 256 tokens"),
        ("plain", "ppm", 256, "plain does not know the tags .*<end_of_answer>: it is no policy for search"),
        ("nowhere", "ppm", 256, "nowhere: no such folder"),
    ],
)
def test_wrong_models_are_named(folder, policy, ppm, context, sentence):
    settings = default_settings(256)
    engine = dataclasses.replace(settings.engine, max_length=context)
    models = Models(str(folder / policy), str(folder / ppm), dataclasses.replace(settings, engine=engine), "")

    async def start():
        async with open_system(models, make_mesh(), print):
            raise AssertionError("it has opened")

    with pytest.raises(InputError, match=sentence):
        asyncio.run(start())
