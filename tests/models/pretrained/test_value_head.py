"""The PPM in the authors' layout, both ways, and in the form that their training leaves."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from safetensors.numpy import load_file, save_file

from rstar_jax.errors import InputError
from rstar_jax.models import decoder
from rstar_jax.models.convert import Options, convert
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import RULES, make_mesh
from rstar_jax.models.store import describe, load_base, load_model, save_model
from tests.models.pretrained import families

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
TOKENS = np.random.default_rng(0).integers(0, 99, (2, 30))


@pytest.fixture(autouse=True)
def mesh():
    with jax.set_mesh(make_mesh()):
        yield


def released(folder, name="qwen2"):
    """As `save_rm.py` of the authors leaves it: a folder of `transformers` and a torch file. Also the true scores."""
    model = families.make(name, folder)
    torch.manual_seed(1)
    head = torch.nn.Linear(48, 1)
    torch.save({f"v_head.summary.{key}": value for key, value in head.state_dict().items()}, folder / "value_head.bin")
    with torch.no_grad():
        hidden = model.model(torch.as_tensor(TOKENS)).last_hidden_state
        return head(hidden)[:, -1, 0].numpy()


def scores(folder, **options):
    config, params = load_model(folder, **options)
    tokens = jax.sharding.reshard(jnp.asarray(TOKENS), P(RULES.batch, None))
    positions = jax.sharding.reshard(jnp.broadcast_to(jnp.arange(30), (2, 30)), P(RULES.batch, None))
    hidden = decoder.hidden_states(config, params, tokens, PackedRows(positions, jnp.ones_like(tokens)))
    return np.asarray(decoder.values(params, hidden))[:, -1]


@pytest.mark.parametrize("name", ["qwen2", "qwen2-tied", "phi3"])
def test_scores_are_those_of_torch(name, tmp_path):
    expected = released(tmp_path, name)
    assert describe(tmp_path).head == "value"
    np.testing.assert_allclose(scores(tmp_path), expected, atol=1e-4)


def test_there_and_back(tmp_path):
    expected = released(tmp_path / "theirs")
    convert(Options(str(tmp_path / "theirs"), tmp_path / "orbax", "orbax"))
    convert(Options(str(tmp_path / "orbax"), tmp_path / "back", "hf"))
    before, after = (torch.load(tmp_path / x / "value_head.bin", weights_only=True) for x in ("theirs", "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    old, new = (load_file(tmp_path / x / "model.safetensors") for x in ("theirs", "back"))
    assert set(old) - set(new) == {"lm_head.weight"}
    assert all(old[key].tobytes() == new[key].tobytes() for key in new)
    np.testing.assert_array_equal(scores(tmp_path / "back"), scores(tmp_path / "orbax"))
    np.testing.assert_allclose(scores(tmp_path / "back"), expected, atol=1e-4)
    _, info = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "back", output_loading_info=True)
    assert not info["missing_keys"]


def test_the_authors_training_output_loads_as_it_is(tmp_path):
    """One file, the decoder behind a prefix and the head beside it (their issues 9 and 19)."""
    expected = released(tmp_path)
    head = torch.load(tmp_path / "value_head.bin", weights_only=True)
    (tmp_path / "value_head.bin").unlink()
    found = {f"pretrained_model.{key}": value for key, value in load_file(tmp_path / "model.safetensors").items()}
    found |= {key: value.numpy() for key, value in head.items()}
    save_file(found, tmp_path / "model.safetensors")
    np.testing.assert_allclose(scores(tmp_path), expected, atol=1e-4)


def test_the_safetensors_head_needs_no_torch(tmp_path, monkeypatch):
    expected = released(tmp_path / "theirs")
    convert(Options(str(tmp_path / "theirs"), tmp_path / "ours", "hf", torch_head=False))
    assert not (tmp_path / "ours" / "value_head.bin").exists()
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    np.testing.assert_allclose(scores(tmp_path / "ours"), expected, atol=1e-4)
    with pytest.raises(InputError, match="needs torch"):
        load_model(tmp_path / "theirs")


def test_what_training_said_about_scores_stays_with_the_model(tmp_path):
    released(tmp_path / "theirs")
    config, params = load_model(tmp_path / "theirs")
    save_model(tmp_path / "run", config, "value", params, squash="raw", reduction="released")
    convert(Options(str(tmp_path / "run"), tmp_path / "back", "hf"))
    assert describe(tmp_path / "back").settings == {"squash": "raw", "reduction": "released"}


def test_wrong_heads_are_named(tmp_path):
    released(tmp_path)
    torch.save({"v_head.weight": torch.zeros(1, 48)}, tmp_path / "value_head.bin")
    with pytest.raises(InputError, match=r"value_head\.bin has v_head\.weight"):
        load_model(tmp_path)


def test_a_ppm_is_no_base(tmp_path):
    released(tmp_path)
    with pytest.raises(InputError, match="is a PPM"):
        load_base(tmp_path, ())


@pytest.mark.parametrize("shape", [(1, 7), (48,)])
def test_a_misshapen_head_is_named_with_everything_else(shape, tmp_path):
    families.make("qwen2", tmp_path)
    save_file({"v_head.summary.weight": np.zeros(shape, np.float32), "v_head.summary.bias": np.zeros(2, np.float32)},
              tmp_path / "value_head.safetensors")  # fmt: skip
    found = load_file(tmp_path / "model.safetensors")
    del found["model.norm.weight"]
    save_file(found, tmp_path / "model.safetensors")
    with pytest.raises(InputError) as error:
        load_model(tmp_path)
    for words in (f"weight is {list(shape)}, not [1, 48]", "bias is [2], not [1]", "no model.norm.weight"):
        assert words in str(error.value)


@pytest.mark.parametrize("name", ["value_head.bin", "value_head.safetensors"])
def test_a_damaged_head_is_named(name, tmp_path):
    families.make("qwen2", tmp_path)
    (tmp_path / name).write_bytes(b"\x80no head")
    with pytest.raises(InputError, match=name):
        load_model(tmp_path)


def test_a_head_stays_float32_beside_a_bfloat16_decoder(tmp_path):
    released(tmp_path / "theirs")
    convert(Options(str(tmp_path / "theirs"), tmp_path / "half", "orbax", dtype="bfloat16"))
    convert(Options(str(tmp_path / "half"), tmp_path / "back", "hf"))
    before, after = (torch.load(tmp_path / x / "value_head.bin", weights_only=True) for x in ("theirs", "back"))
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert describe(tmp_path / "back").config.tie_embeddings == describe(tmp_path / "theirs").config.tie_embeddings
