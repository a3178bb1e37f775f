"""The Triton kernel gives what the oracle gives (interpreted, where there is no GPU), and lowers for NVIDIA GPUs."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.inference import blocks
from rstar_jax.inference.attention import PagedAttention
from rstar_jax.inference.config import EngineConfig, Metrics
from rstar_jax.inference.kernels import gpu
from rstar_jax.inference.memory import make_pools
from rstar_jax.inference.programs import Programs
from rstar_jax.inference.scheduler import Scheduler
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params, unstacked
from rstar_jax.models.sharding import make_mesh

TRITON = "__gpu$xla.gpu.triton"


@functools.partial(jax.jit, static_argnames=("scale", "splits", "window"))
def attend(q, pool, tables, visible, scale, splits, window=None):
    interpret = jax.default_backend() != "gpu"
    return gpu.attend_splits(q, pool, tables, visible, scale, splits, window, interpret)


def case(rows, items, K, G, h, size, columns, dtype=jnp.float32):
    """Ragged rows, among them one that sees nothing and one that sees all, over tables with repeated pages."""
    random = np.random.default_rng(rows * G + h)
    pages = columns + 2
    q, pool = random.normal(size=(rows, K, G, h)), random.normal(size=(pages, size, 2 * K, h))
    tables = random.integers(0, pages, (items, columns))
    visible = random.integers(1, columns * size, rows)
    visible[0], visible[-1] = 0, columns * size
    ints = [jnp.asarray(x, jnp.int32) for x in (tables, visible)]
    return jnp.asarray(q, dtype), jnp.asarray(pool, dtype), *ints, h**-0.5


def oracle(q, pool, tables, visible, scale, window=None):
    per_row = jnp.repeat(tables, len(q) // len(tables), axis=0)
    with jax.default_matmul_precision("highest"):
        return blocks.attend_gathered(q.astype(jnp.float32), pool.astype(jnp.float32), per_row, visible, scale, window)


DECODING = [((4, 4, 1, 6, 64, 32, 5), 1), ((3, 3, 2, 1, 128, 16, 5), 2), ((3, 3, 2, 3, 96, 16, 7), 3)]
CHUNKS = [
    ((16, 2, 2, 4, 64, 16, 9), 3),
    ((16, 2, 1, 7, 96, 32, 3), 1),
    ((16, 1, 1, 5, 128, 16, 4), 4),  # too many queries for one program
    ((8, 1, 2, 2, 128, 32, 3), 2),
]


@pytest.mark.parametrize("window", [None, 37])
@pytest.mark.parametrize(("shape", "splits"), DECODING + CHUNKS, ids=str)
def test_equals_the_oracle(shape, splits, window):
    q, pool, tables, visible, scale = case(*shape)
    got = attend(q, pool, tables, visible, scale=scale, splits=splits, window=window)
    assert got.dtype == q.dtype
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[1:], oracle(q, pool, tables, visible, scale, window)[1:], atol=1e-5)


@pytest.mark.parametrize(("shape", "splits"), [DECODING[0], CHUNKS[0]], ids=str)
def test_bfloat16(shape, splits):
    """Weights and results are rounded to 8 bits, which moves each by at most 2^-9 of itself."""
    q, pool, tables, visible, scale = case(*shape, jnp.bfloat16)
    got = attend(q, pool, tables, visible, scale=scale, splits=splits)
    assert got.dtype == jnp.bfloat16
    bound = 2**-8 * float(jnp.max(jnp.abs(pool)))
    want = oracle(q, pool, tables, visible, scale)
    np.testing.assert_allclose(got[1:].astype(jnp.float32), want[1:], rtol=0, atol=bound)


def test_neighbours_change_no_bit():
    shape, splits = CHUNKS[0]
    q, pool, tables, visible, scale = case(*shape)
    want = attend(q, pool, tables, visible, scale=scale, splits=splits)[3]
    others = jnp.arange(len(q)) != 3
    q = jnp.where(others[:, None, None, None], 2 * q, q)
    tables = tables.at[1].set(0)
    for seen in (0, tables.shape[1] * pool.shape[1]):
        near = jnp.where(others, seen, visible)
        got = attend(q, pool, tables, near, scale=scale, splits=splits)[3]
        np.testing.assert_array_equal(got, want)


def test_what_nobody_sees_may_be_anything():
    q, pool, _, _, scale = case(*DECODING[1][0])
    visible = jnp.array([1, 20, 0], jnp.int32)
    tables = jnp.array([[0, 1, 1, 1, 1], [2, 3, 1, 1, 1], [1, 1, 1, 1, 1]], jnp.int32)
    bad = pool.at[1].set(jnp.nan).at[0, 1:].set(jnp.inf).at[3, 4:].set(jnp.nan)
    want = attend(q, pool, tables, visible, scale=scale, splits=2)
    got = attend(q, bad, tables, visible, scale=scale, splits=2)
    np.testing.assert_array_equal(got, want)
    assert np.isfinite(got).all()


def for_cuda(program, *arguments, **keywords) -> str:
    return program.trace(*arguments, **keywords).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    ("shape", "grid"),
    [((64, 64, 2, 6, 128, 16, 256), (2, 64, 4)), ((256, 16, 4, 7, 96, 32, 128), (4, 32, 4))],
    ids=["decoding", "chunks"],
)
def test_lowers_for_cuda(shape, grid, dtype):
    """Splits fill the GPU; an item of 16 rows by 7 heads is two programs."""
    arrays = jax.eval_shape(lambda: case(*shape, dtype)[:4])
    text = for_cuda(jax.jit(gpu.attend, static_argnames="scale"), *arrays, scale=0.1)
    assert text.count(TRITON) == 1
    assert all(f"grid_{axis} = {size} : i32" in text for axis, size in zip("xyz", grid, strict=True))


@pytest.mark.skipif("jax.default_backend() == 'gpu'")
def test_never_interpreted_by_itself():
    q, pool, tables, visible, scale = case(*DECODING[1][0])
    with pytest.raises(ValueError, match="Only interpret mode"):
        gpu.attend(q, pool, tables, visible, scale)


def test_programs_lower_for_cuda():
    config = ModelConfig(vocab_size=64, d_model=32, n_layers=2, n_heads=6, n_kv_heads=2, head_dim=64, d_ff=48)
    sizes, mesh = EngineConfig(max_length=256, pages=40, tokens=(32,), rows=(16,)), make_mesh()
    scheduler = Scheduler(sizes, 1, 40, (1,), Metrics())
    programs = Programs(config, "lm", PagedAttention("gpu", sizes.block), sizes.decode_steps, (1,))
    extend, decode = scheduler.empty_extend(32), scheduler.empty_decode(16)
    with jax.set_mesh(mesh):
        params = jax.jit(lambda: unstacked(config, init_params(config, jax.random.key(0))))()
        pools = make_pools(config, sizes, 40, mesh)
        texts = [
            for_cuda(programs.extend, params, pools, extend.tokens, extend.where),
            for_cuda(programs.decode, params, pools, decode.slots, decode.where),
        ]
    assert [text.count(TRITON) for text in texts] == [config.n_layers] * 2
