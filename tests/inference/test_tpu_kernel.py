"""The TPU's kernels, interpreted on the CPU, against the textbook form."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu
from jax.experimental.pallas.ops.tpu.ragged_paged_attention import kernel
from jax.sharding import NamedSharding, PartitionSpec

from rstar_jax.inference.attention import Items, PagedAttention, scatter
from rstar_jax.inference.blocks import attend_gathered
from rstar_jax.inference.kernels import tpu
from rstar_jax.inference.layout import over_batch
from rstar_jax.models.sharding import RULES


class Loaded:
    """A block of VMEM as an array. Stands in for its reference, which the interpreter (jax 0.10) cannot reshape."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, index):
        return self._array[index]

    def reshape(self, *shape):
        return Loaded(self._array.reshape(*shape))

    def bitcast(self, dtype):
        """Two neighbours of the second minor axis become one number, as they lie in a TPU's registers."""
        pairs = self._array.reshape(len(self._array) // 2, 2, -1).swapaxes(1, 2)
        return Loaded(jax.lax.bitcast_convert_type(pairs, dtype))


def masked_store(ref, value, *, mask):
    """The interpreter's own takes masks of more than one dimension for out of bounds."""
    ref[...] = jnp.where(mask, value, ref[...])


@pytest.fixture(autouse=True)
def interpreted(monkeypatch):
    """Kernels run in the interpreter: memory begins as NaN, copies arrive as late as they may, and races are found."""
    wait = kernel.MultiPageAsyncCopyDescriptor.wait
    monkeypatch.setattr(kernel.MultiPageAsyncCopyDescriptor, "wait", lambda self: Loaded(wait(self)[...]))
    monkeypatch.setattr(pltpu, "store", masked_store)
    with pltpu.force_tpu_interpret_mode(pltpu.InterpretParams(detect_races=True)):
        yield
    pltpu.reset_tpu_interpret_mode_state()  # a kernel that failed leaves its memory behind


def ragged(rng, items, side, longest):
    """Tokens that each row sees: whole items, one that is all padding, and some with padding behind."""
    visible = np.zeros((items, side), np.int32)
    for item in range(items):
        rows = 0 if item == 1 else side if item % 2 == 0 else rng.integers(1, side + 1)
        first = rng.integers(1, longest - side + 2)
        visible[item, :rows] = np.arange(first, first + rows)
    visible[0] += longest - visible[0, -1]  # one item to the end of its table
    return visible.reshape(-1)


def inputs(kv_heads, group, width, rows, items, size, columns, dtype):
    """Queries, a pool, and tables in which pages come again and again."""
    rng = np.random.default_rng(0)
    q = jnp.asarray(rng.normal(size=(rows, kv_heads, group, width)), dtype)
    pool = jnp.asarray(rng.normal(size=(columns + 3, size, 2 * kv_heads, width)), dtype)
    tables = jnp.asarray(rng.integers(0, len(pool), (items, columns)), jnp.int32)
    return q, pool, tables, jnp.asarray(ragged(rng, items, rows // items, columns * size))


@pytest.mark.parametrize(
    ("kv_heads", "group", "rows", "items", "size", "columns", "dtype"),
    [
        pytest.param(2, 6, 8, 8, 16, 8, jnp.float32, id="decode"),
        pytest.param(1, 7, 6, 6, 64, 17, jnp.bfloat16, id="decode, three blocks of keys"),
        pytest.param(2, 6, 32, 4, 16, 8, jnp.float32, id="items of 8"),
        pytest.param(4, 7, 48, 3, 64, 3, jnp.bfloat16, id="items of 16"),
        pytest.param(1, 7, 128, 2, 64, 10, jnp.float32, id="items of two blocks of queries, two of keys"),
    ],
)
@pytest.mark.parametrize("window", [None, 40])
def test_attention_equals_the_textbook_form(kv_heads, group, rows, items, size, columns, dtype, window):
    q, pool, tables, visible = inputs(kv_heads, group, 128, rows, items, size, columns, dtype)
    got = jax.jit(tpu.attend, static_argnums=(4, 5))(q, pool, tables, visible, 128**-0.5, window)
    exact = (array.astype(jnp.float32) for array in (q, pool))
    expected = attend_gathered(*exact, jnp.repeat(tables, rows // items, axis=0), visible, 128**-0.5, window)
    read = np.asarray(visible) > 0
    assert got.dtype == dtype
    # bfloat16: the sums are float32, so all that is lost is the rounding of what comes out.
    tolerance = {"rtol": 0, "atol": 1e-5} if dtype == jnp.float32 else {"rtol": 2**-8, "atol": 1e-5}
    np.testing.assert_allclose(np.asarray(got, np.float32)[read], expected[read], **tolerance)
    assert_no_races()


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_rows_are_put_where_scatter_puts_them(kv_heads):
    rng = np.random.default_rng(0)
    pool, new = (jnp.asarray(rng.normal(size=(n, 16, 2 * kv_heads, 128)), jnp.bfloat16) for n in (5, 1))
    new = new[0, :12]
    page, offset = jnp.array([0, 4, 4, 5, 2, 5, 1, 1, 1, 1, 3, 5]), jnp.array([0, 15, 14, 0, 7, 7, 1, 2, 3, 4, 0, 9])
    np.testing.assert_array_equal(tpu.put(pool, page, offset, new), scatter(pool, page, offset, new))
    assert_no_races()


def test_heads_that_are_narrower_than_the_pool(mesh):
    """As in a model with heads of 64 numbers, whose pool has 128 lanes: both forms give the same heads and pages."""
    kv_heads, group, width, items, side, size, columns = 2, 7, 64, 3, 8, 16, 4
    rng = np.random.default_rng(0)
    positions = jnp.asarray(ragged(rng, items, side, columns * size) - 1)
    tables = jnp.arange(items * columns, dtype=jnp.int32).reshape(items, columns)
    rows = len(positions)
    shapes = (rows, 1, kv_heads, group, width), (rows, 1, kv_heads, width), (rows, 1, kv_heads, width)
    pool = np.pad(rng.normal(size=(items * columns, size, 2 * kv_heads, width)), (*((0, 0),) * 3, (0, 64)))
    arrays = [placed(array, mesh) for array in (*(rng.normal(size=shape) for shape in shapes), pool)]

    @functools.partial(jax.jit, static_argnums=0)
    def attend(implementation, where, *arrays):
        return PagedAttention(implementation, 16)(over_batch(where))(*arrays)

    with jax.set_mesh(mesh):
        got, written = attend("tpu", Items(tables, positions, jnp.zeros(len(tables), jnp.int32), ()), *arrays)
        expected, pages = attend("gathered", Items(tables, positions, jnp.zeros(len(tables), jnp.int32), ()), *arrays)
    np.testing.assert_array_equal(written, pages)
    real = np.asarray(positions) >= 0
    np.testing.assert_allclose(np.asarray(got)[real], np.asarray(expected)[real], rtol=0, atol=1e-5)


def placed(array, mesh):
    """Rows or pages on axis 0, kv heads on axis 2, as the engine has them."""
    spec = PartitionSpec(RULES.batch, None, RULES.kv_heads, *(None,) * (array.ndim - 3))
    return jax.device_put(np.asarray(array, np.float32), NamedSharding(mesh, spec))


def assert_no_races():
    from jax._src.pallas.mosaic.interpret import interpret_pallas_call  # no public name (jax 0.10)

    assert not interpret_pallas_call.races.races_found
