"""Attention of packed rows: kernels give what the reference gives, and each platform gets its own."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, AxisType

from rstar_jax.models import attention, decoder
from rstar_jax.models.attention import blocks, self_attention, splash
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import MESH_AXES
from rstar_jax.models.sharding import platform as platform_of_mesh
from tests.models.random_rows import random_rows

MODEL = ModelConfig(vocab_size=48, d_model=32, n_layers=1, n_heads=4, n_kv_heads=2, head_dim=64, d_ff=32)

FAST_COMPILE = {"xla_backend_optimization_level": 0}  # the same arithmetic


def qkv(config: ModelConfig, rows: PackedRows, dtype=jnp.float32) -> list[jax.Array]:
    """Keys and values of ordinary size; scores have a standard deviation of 2."""
    n, length = rows.segments.shape
    random, K, G, h = np.random.default_rng(0), config.n_kv_heads, config.group_size, config.head_dim
    q, k, v = (random.normal(size=(n, length, K, *heads, h)) for heads in ((G,), (), ()))
    specs = attention.QUERIES, attention.KEYS, attention.KEYS
    return [jax.sharding.reshard(jnp.asarray(x, dtype), spec) for x, spec in zip((2 * q, k, v), specs, strict=True)]


def of_real_tokens(attend, rows: PackedRows, arrays: list[jax.Array]):
    """What attention gives real tokens, and the gradient of a function of it."""

    def total(q, k, v):
        heads = attend(q, k, v)
        heads = jnp.where(rows.segments[..., None, None, None] > 0, heads, 0)
        return jnp.sum(jnp.sin(heads.astype(jnp.float32))), heads

    both = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True), compiler_options=FAST_COMPILE)
    (_, heads), gradient = both(*arrays)
    return heads, gradient


def assert_close(found, wanted, tolerance: float) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert jnp.isfinite(a).all()
        np.testing.assert_allclose(a.astype(jnp.float32), b.astype(jnp.float32), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("trees", [False, True], ids=["segments", "trees"])
@pytest.mark.parametrize(
    ("head_dim", "heads", "kv_heads", "length", "window"),
    [
        pytest.param(64, 4, 2, 200, None, id="heads of 64"),
        pytest.param(128, 3, 1, 256, None, id="heads of 128"),
        pytest.param(96, 2, 2, 300, 50, id="heads of 96, window"),
        pytest.param(64, 2, 1, 300, 140, id="a window over blocks", marks=pytest.mark.slow),
    ],
)
def test_splash_is_the_reference(head_dim, heads, kv_heads, length, window, trees):
    """The kernel is interpreted here. Blocks are as small as they can be, so that rows have several."""
    config = dataclasses.replace(MODEL, head_dim=head_dim, n_heads=heads, n_kv_heads=kv_heads, window=window)
    rows = random_rows(3, length, trees)
    arrays = qkv(config, rows)
    found = of_real_tokens(splash(config, rows, block=128, interpret=True), rows, arrays)
    assert_close(found, of_real_tokens(self_attention(config, rows, "reference"), rows, arrays), 2e-5)


@pytest.mark.parametrize("trees", [False, True], ids=["segments", "trees"])
@pytest.mark.parametrize(
    ("length", "block", "window"),
    [(200, 16, None), (96, 32, 20), (64, 128, None)],
    ids=["a last block in part", "a window over blocks", "one block"],
)
def test_blocks_are_the_reference(length, block, window, trees):
    config = dataclasses.replace(MODEL, window=window, n_heads=6)
    rows = random_rows(3, length, trees)
    arrays = qkv(config, rows)
    found = of_real_tokens(blocks(config, rows, block), rows, arrays)
    assert_close(found, of_real_tokens(self_attention(config, rows, "reference"), rows, arrays), 2e-5)


def test_branches_are_kept_apart_in_bfloat16():
    """Two numbers of 8 bits: only a mask whose parts cancel exactly leaves no more than their rounding."""
    rows = random_rows(3, 200, trees=True)
    arrays = qkv(MODEL, rows, jnp.bfloat16)
    found = of_real_tokens(splash(MODEL, rows, block=128, interpret=True), rows, arrays)
    exact = [x.astype(jnp.float32) for x in arrays]
    assert_close(found, of_real_tokens(self_attention(MODEL, rows, "reference"), rows, exact), 4e-2)


def test_what_is_not_seen_may_be_anything():
    """However large the score of a key in another branch, and whatever padding holds."""
    rows = PackedRows(*(jnp.asarray([x]) for x in ([0, 1, 2, 2, 0], [1, 1, 1, 1, 0], [0, 0, 1, 2, 0])))
    q, k, v = qkv(MODEL, rows)
    attend = jax.jit(splash(MODEL, rows, interpret=True), compiler_options=FAST_COMPILE)
    want = attend(q, k, v)[:, 3]
    got = attend(q, k.at[:, 2].set(100 * q[:, 3, :, 0]).at[:, 4].set(1e4), v.at[:, 2].set(7e3).at[:, 4].set(3e5))[:, 3]
    np.testing.assert_array_equal(got, want)


def test_rows_that_are_too_long_are_refused():
    rows = PackedRows(jnp.zeros((1, 70_000), jnp.int32), jnp.ones((1, 70_000), jnp.int32))
    with pytest.raises(ValueError, match="65536"):
        jax.eval_shape(lambda: splash(MODEL, rows, interpret=True)(*qkv(MODEL, rows)))


def test_splash_over_eight_devices_is_splash_on_one():
    script = pathlib.Path(__file__).with_name("sharded_attention.py")
    found = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.strip().endswith("equal"), found.stderr[-3000:]


@pytest.mark.parametrize(
    ("platform", "dtype", "head_dim", "wanted"),
    [
        ("cpu", "bfloat16", 128, "blocks"),
        ("tpu", "float32", 128, "splash"),
        ("tpu", "bfloat16", 64, "splash"),
        ("gpu", "bfloat16", 96, "cudnn"),
        ("cuda", "float16", 64, "cudnn"),
        ("gpu", "float32", 64, "reference"),
        ("gpu", "bfloat16", 4, "reference"),
        ("gpu", "bfloat16", 256, "reference"),
    ],
)
def test_each_platform_has_its_form(platform, dtype, head_dim, wanted):
    assert attention.choose(dataclasses.replace(MODEL, compute_dtype=dtype, head_dim=head_dim), platform) == wanted


def abstract_rows(platform: str | None) -> tuple[AbstractMesh, jax.ShapeDtypeStruct]:
    device = platform and AbstractDevice(device_kind=platform, num_cores=None, platform=platform)
    mesh = AbstractMesh((1, 1, 1), MESH_AXES, (AxisType.Explicit,) * 3, abstract_device=device)
    sharding = jax.sharding.NamedSharding(mesh, attention.ROWS)
    return mesh, jax.ShapeDtypeStruct((4, 256), jnp.int32, sharding=sharding)


@pytest.mark.parametrize(("platform", "wanted"), [("tpu", "tpu"), ("gpu", "gpu"), (None, jax.default_backend())])
def test_the_platform_is_that_of_the_mesh(platform, wanted):
    """Not that of the machine: programs are compiled for chips that are elsewhere."""
    mesh, rows = abstract_rows(platform)
    found = []
    with jax.sharding.use_abstract_mesh(mesh):
        jax.eval_shape(lambda x: found.append(platform_of_mesh(jax.typeof(x).sharding.mesh)), rows)
    assert found == [wanted]


def loss_of(config: ModelConfig, params: decoder.Params, tokens: jax.Array, rows: PackedRows) -> jax.Array:
    return jnp.sum(decoder.hidden_states(config, params, tokens, rows, "attention"))


def for_cuda(function, *arguments) -> str:
    return jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("trees", [False, True], ids=["segments", "trees"])
def test_cudnn_lowers_forward_and_backward(monkeypatch, trees):
    """There is no cuDNN here to ask for its version, and none that would run it."""
    from jax._src.cudnn import fused_attention_stablehlo

    monkeypatch.setattr(fused_attention_stablehlo, "check_cudnn_version", lambda: 91000)
    config = dataclasses.replace(MODEL, n_layers=2, compute_dtype="bfloat16", window=100 if trees else None)
    mesh, ints = abstract_rows("gpu")
    with jax.sharding.use_abstract_mesh(mesh):
        params = jax.eval_shape(lambda: decoder.init_params(config, jax.random.key(0)))
        rows = PackedRows(ints, ints, ints if trees else None)
        text = for_cuda(jax.grad(functools.partial(loss_of, config)), params, ints, rows)
    assert text.count("@__cudnn$fmhaScaleBiasSoftmax(") == 2  # forward, and again backward
    assert text.count("@__cudnn$fmhaScaleBiasSoftmaxBackward(") == 1
    assert "CAUSAL" in text
    scores = f"x{config.n_kv_heads}x{config.group_size}x256x256x"
    assert scores not in text


def test_float32_on_a_gpu_is_the_reference():
    mesh, ints = abstract_rows("gpu")
    with jax.sharding.use_abstract_mesh(mesh):
        params = jax.eval_shape(lambda: decoder.init_params(MODEL, jax.random.key(0)))
        text = for_cuda(functools.partial(loss_of, MODEL), params, ints, PackedRows(ints, ints))
    assert "cudnn" not in text
