"""Folders of weights, both ways: bits, shards, dtypes, and every way a folder can be wrong."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from rstar_jax.errors import InputError
from rstar_jax.models.convert import Options, convert
from rstar_jax.models.decoder import init_params
from rstar_jax.models.store import describe, load_model, save_model
from tests.models.pretrained import families

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def tensors(folder) -> dict[str, np.ndarray]:
    return {key: value for file in pathlib.Path(folder).glob("*.safetensors") for key, value in load_file(file).items()}


def bits(folder):
    return {key: (value.shape, str(value.dtype), value.tobytes()) for key, value in tensors(folder).items()}


@pytest.mark.parametrize("name", families.MOSTLY_SLOW)
@pytest.mark.parametrize("dtype", [torch.bfloat16, pytest.param(torch.float32, marks=pytest.mark.slow)])
def test_there_and_back_is_bit_exact(name, dtype, tmp_path):
    """Sharded in, sharded out (at other places), through Orbax in between."""
    families.make(name, tmp_path / "theirs", dtype, max_shard_size="30KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 2
    convert(Options(str(tmp_path / "theirs"), tmp_path / "ours", "orbax"))
    convert(Options(str(tmp_path / "ours"), tmp_path / "back", "hf", shard_bytes=100_000))
    assert len(list((tmp_path / "back").glob("*.safetensors"))) > 1
    assert bits(tmp_path / "back") == bits(tmp_path / "theirs")


@pytest.mark.parametrize("name", families.MOSTLY_SLOW)
def test_transformers_loads_what_we_save(name, tmp_path):
    expected = families.make(name, tmp_path / "theirs")
    convert(Options(str(tmp_path / "theirs"), tmp_path / "ours", "hf"))
    found, info = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "ours", output_loading_info=True, attn_implementation="eager"
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    for length in (40, 100):
        tokens = torch.arange(length)[None] % 90
        with torch.no_grad():
            assert torch.equal(found(tokens).logits, expected(tokens).logits)


def test_a_dtype_is_changed_on_the_way(tmp_path):
    families.make("qwen2", tmp_path / "theirs", torch.bfloat16)
    config, params = load_model(tmp_path / "theirs", dtype="float32")
    assert config.param_dtype == config.compute_dtype == "float32"
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    embedding = tensors(tmp_path / "theirs")["model.embed_tokens.weight"].astype(np.float32)
    np.testing.assert_array_equal(params["outer"]["embed"][:99], embedding)


def test_layers_may_come_as_a_list(tmp_path):
    families.make("phi3", tmp_path)
    (_, stacked), (_, flat) = load_model(tmp_path), load_model(tmp_path, stacked=False)
    assert len(flat["blocks"]) == 3
    for number, block in enumerate(flat["blocks"]):
        layer = jax.tree.map(lambda leaf, i=number: leaf[i], stacked["blocks"])
        jax.tree.map(np.testing.assert_array_equal, block, layer)


def spoil(folder, change):
    """Apply `change` to the tensors of a folder with one file."""
    found = load_file(folder / "model.safetensors")
    change(found)
    save_file(found, folder / "model.safetensors", metadata={"format": "pt"})


def test_all_wrong_tensors_are_named_at_once(tmp_path):
    families.make("qwen2", tmp_path)

    def change(found):
        del found["model.layers.1.mlp.up_proj.weight"]
        found["model.layers.1.mlp.up.weight"] = np.zeros((3, 3), np.float32)
        found["model.norm.weight"] = np.zeros(7, np.float32)

    spoil(tmp_path, change)
    with pytest.raises(InputError) as error:
        load_model(tmp_path)
    for words in ("no model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.up.weight is not known", "[7], not [48]"):
        assert words in str(error.value)


def test_a_head_beside_a_tied_embedding_must_be_the_embedding(tmp_path):
    families.make("qwen2-tied", tmp_path)
    spoil(tmp_path, lambda found: found.update({"lm_head.weight": found["model.embed_tokens.weight"].copy()}))
    load_model(tmp_path)
    spoil(tmp_path, lambda found: found.update({"lm_head.weight": found["lm_head.weight"] + 1}))
    with pytest.raises(InputError, match=r"lm_head\.weight is not known"):
        load_model(tmp_path)


def test_frequencies_that_old_files_hold_are_left_alone(tmp_path):
    families.make("llama2", tmp_path)
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    spoil(tmp_path, lambda found: found.update({name: np.zeros(4, np.float32)}))
    load_model(tmp_path)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model_type": "mamba"}, 'model_type "mamba" is not supported'),
        ({"use_sliding_window": True}, "use_sliding_window=True"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"surprise": 1, "another": 2}, "another=2; surprise=1"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, 'rope scaling "yarn"'),
        ({"rope_parameters": {"rope_type": "linear", "factor": 4.0, "beta_fast": 32}}, "beta_fast=32"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 4.0}}, "without 'low_freq_factor'"),
        ({"layer_types": ["full_attention", "sliding_attention", "full_attention"]}, "sliding_attention"),
        ({"rms_norm_eps": None}, "no rms_norm_eps"),
        ({"dtype": "int8"}, 'dtype "int8"'),
    ],
)
def test_what_is_not_supported_is_refused_by_name(fields, words, tmp_path):
    families.make("qwen2", tmp_path)
    found = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(found | fields))
    with pytest.raises(InputError) as error:
        describe(tmp_path)
    assert words in str(error.value)
    assert "config.json" in str(error.value)


@pytest.mark.parametrize(("name", "field"), [("llama2", "mlp_bias"), ("qwen3", "attention_bias")])
def test_biases_that_a_family_may_have_are_refused(name, field, tmp_path):
    families.make(name, tmp_path)
    found = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(found | {field: True}))
    with pytest.raises(InputError, match=f"{field}=True"):
        describe(tmp_path)


def test_damaged_and_missing_files_are_named(tmp_path):
    families.make("qwen2", tmp_path, max_shard_size="60KB")
    first, second, *_ = sorted(tmp_path.glob("*.safetensors"))
    whole = second.read_bytes()
    second.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=second.name):
        load_model(tmp_path)
    second.unlink()
    with pytest.raises(InputError, match=f"{second.name} is missing"):
        load_model(tmp_path)
    second.write_bytes(first.read_bytes())
    with pytest.raises(InputError, match="says it has"):
        load_model(tmp_path)


def test_folders_without_weights_say_what_they_lack(tmp_path):
    families.make("qwen2", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="holds no weights"):
        load_model(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(InputError, match=r"pytorch_model\.bin"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="neither"):
        load_model(tmp_path)


def test_a_model_trained_here_goes_to_transformers(tmp_path):
    """The built-in example's kind of model, too: its layout is that of Qwen2."""
    from rstar_jax.models.config import ModelConfig
    from rstar_jax.trajectory.tokenizer import train_tokenizer

    config = ModelConfig(vocab_size=300, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=64)
    params = jax.jit(lambda: init_params(config, jax.random.key(0)))()
    save_model(tmp_path / "ours", config, "lm", params, train_tokenizer(["a b c"], 300), note=1)
    convert(Options(str(tmp_path / "ours"), tmp_path / "theirs", "hf"))
    transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "theirs")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "theirs")("<code>")["input_ids"] == [1]
    found = describe(tmp_path / "theirs")
    assert found.settings == {"note": 1}


class TestTheCommand:
    def run(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "rstar_jax.models.convert", *map(str, arguments)], capture_output=True, text=True
        )

    def test_a_dry_run_prints_the_mapping_and_writes_nothing(self, tmp_path):
        families.make("phi3", tmp_path / "theirs")
        done = self.run(tmp_path / "theirs", tmp_path / "ours", "--to", "orbax", "--dry-run")
        assert done.returncode == 0, done.stderr
        line = "model.layers.2.self_attn.qkv_proj.weight [80, 48] = blocks[2].attention.q [D, K, G, h] + "
        assert line in done.stdout
        assert "21 tensors" in done.stdout
        assert not (tmp_path / "ours").exists()

    def test_errors_are_one_sentence(self, tmp_path):
        families.make("qwen2", tmp_path / "theirs")
        (tmp_path / "taken").mkdir()
        for source, target, words in [
            (tmp_path / "nowhere", tmp_path / "x", "no such folder"),
            (tmp_path / "theirs", tmp_path / "taken", "exists already"),
        ]:
            done = self.run(source, target, "--to", "hf")
            assert done.returncode != 0
            assert words in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1

    def test_a_hub_id_without_a_connection(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
        done = self.run("Qwen/Qwen2.5-Math-1.5B", tmp_path / "x", "--to", "hf")
        assert done.returncode != 0
        assert "Qwen/Qwen2.5-Math-1.5B" in done.stderr
        assert "cannot be reached" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_files_are_what_safetensors_says_they_are(tmp_path):
    families.make("llama3", tmp_path / "theirs", torch.bfloat16)
    convert(Options(str(tmp_path / "theirs"), tmp_path / "ours", "hf", dtype="float32"))
    with safe_open(tmp_path / "ours" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert file.get_tensor("model.norm.weight").dtype == torch.float32


def test_tensors_that_the_index_does_not_list_are_named(tmp_path):
    families.make("qwen2", tmp_path, max_shard_size="60KB")
    first = min(tmp_path.glob("*.safetensors"))
    save_file(load_file(first) | {"stray": np.zeros(3, np.float32)}, first)
    with pytest.raises(InputError, match="stray not in"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["../nowhere", "./nowhere", "a--b/c", "nowhere"])
def test_a_mistyped_path_is_one_sentence(name):
    with pytest.raises(InputError, match="no such folder"):
        describe(name)
