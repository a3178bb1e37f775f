"""The SFT loss: chunks and packing change nothing, and the logits of a batch never exist at once."""

from __future__ import annotations

import dataclasses
import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.packing import Packed, TokenisedSolution, pack_sft
from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.training.batches import to_devices
from rstar_jax.training.cross_entropy import wanted_first
from rstar_jax.training.sft import sft_loss

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
FAST_COMPILE = {"xla_backend_optimization_level": 0}  # a third of the time; the same arithmetic


def device(packed: Packed, n_rows: int = 0) -> dict[str, jax.Array]:
    """The arrays on the device, with rows of padding up to `n_rows`."""
    more = max(n_rows - packed.n_rows, 0)
    return {name: jnp.pad(array, ((0, more), (0, 0))) for name, array in packed.arrays.items()}


@functools.partial(
    jax.jit, static_argnums=0, static_argnames=("chunk", "remat"), compiler_options=FAST_COMPILE
)
def mean_and_grad(model, params, batch, *, chunk: int = 16, remat: str = "none"):
    """Mean loss, its gradient, and the number of targets."""
    loss = functools.partial(sft_loss, model, chunk=chunk, remat=remat)
    (total, sums), gradient = jax.value_and_grad(loss, has_aux=True)(params, batch)
    weight = jnp.maximum(sums["weight"], 1)
    return total / weight, jax.tree.map(lambda leaf: leaf / weight, gradient), sums["weight"]


def plain_loss(model: ModelConfig, params: decoder.Params, batch: dict[str, jax.Array]) -> jax.Array:
    hidden = decoder.hidden_states(model, params, batch["tokens"], PackedRows.of(batch))
    logs = jax.nn.log_softmax(decoder.logits(model, params, hidden[:, :-1]))
    targets = jax.nn.one_hot(batch["tokens"][:, 1:], model.rows)
    wanted = batch["loss_mask"][:, 1:, None]
    return -jnp.sum(logs * targets * wanted) / jnp.sum(wanted)


def assert_close(found, wanted) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **TOLERANCE), found, wanted)


@pytest.fixture(scope="module")
def params(model: ModelConfig, random_params) -> decoder.Params:
    return random_params(model, "lm")


@pytest.fixture(scope="module")
def plain(model: ModelConfig, params: decoder.Params, solutions: list[TokenisedSolution]):
    """Loss and gradient with all logits at once."""
    loss = jax.value_and_grad(functools.partial(plain_loss, model))
    return jax.jit(loss, compiler_options=FAST_COMPILE)(params, device(pack_sft(solutions, 48)))


@pytest.mark.parametrize(("chunk", "remat"), [(7, "full"), (512, "none")])
def test_chunked_is_plain(model, params, solutions, plain, chunk: int, remat: str) -> None:
    packed = pack_sft(solutions, 48)
    loss, gradient, targets = mean_and_grad(model, params, device(packed), chunk=chunk, remat=remat)
    assert_close((loss, gradient), plain)
    assert targets == packed.arrays["loss_mask"].sum()


@pytest.mark.parametrize("tied", [True, False])
def test_both_heads_with_a_padded_vocabulary(model, random_params, solutions, tied: bool) -> None:
    model = dataclasses.replace(model, tie_embeddings=tied, vocab_multiple=48)
    params, packed = random_params(model, "lm"), device(pack_sft(solutions, 48))
    wanted = jax.jit(jax.value_and_grad(functools.partial(plain_loss, model)), compiler_options=FAST_COMPILE)
    assert_close(mean_and_grad(model, params, packed, chunk=7)[:2], wanted(params, packed))


def test_chunks_are_those_that_hold_targets() -> None:
    """Three and two targets, wherever in their rows, are two chunks of two; their order stays."""
    wanted = jnp.array([[0, 1, 0, 0, 1, 0, 1], [0, 0, 0, 0, 0, 1, 1]], bool)
    places = jnp.broadcast_to(jnp.arange(7), (2, 7))
    front, used, where = wanted_first(2, places[..., None], places, wanted)
    assert used == 2
    assert front.targets.shape == (2, 8)
    np.testing.assert_array_equal(front.wanted, [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(front.targets[front.wanted], [1, 4, 6, 5, 6])
    np.testing.assert_array_equal(jnp.take_along_axis(front.targets, where, axis=1)[wanted], places[wanted])


@pytest.mark.parametrize("chunk", [7, 48])
def test_a_single_row_as_the_loop_places_it(model, params, solutions, chunk: int) -> None:
    """An axis of length one is split only where that is said; its gradients must meet those that are."""
    first = pack_sft(solutions[:1], 48)
    rows = jax.tree.map(lambda part: part[0], to_devices(first.rows(np.array([0])), 1, jax.sharding.get_mesh()))
    found = mean_and_grad(model, params, rows, chunk=chunk)
    assert_close(found, mean_and_grad(model, params, device(first, 2), chunk=chunk))


def test_packed_is_alone_and_padding_adds_nothing(model, params, solutions) -> None:
    alone = [pack_sft([one], 64).arrays for one in solutions]
    stacked = {name: np.concatenate([row[name] for row in alone]) for name in alone[0]}
    together = pack_sft(solutions, 64)
    assert together.n_rows < len(solutions) / 2
    assert_close(
        mean_and_grad(model, params, device(together, len(solutions))),
        mean_and_grad(model, params, device(Packed(stacked, len(solutions), 0))),
    )


def test_a_prompt_is_no_target(model, params, solutions) -> None:
    prompt_only = pack_sft([TokenisedSolution([5, 6, 7], [False] * 3)], 64)
    loss, gradient, targets = mean_and_grad(model, params, device(prompt_only, len(solutions)))
    assert loss == targets == 0
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient))


def largest_array(function, *arguments) -> int:
    text = jax.jit(function).lower(*arguments).compile(FAST_COMPILE).as_text()
    shapes = re.findall(r"\b(?:f32|bf16|f16|pred|s32|u32)\[([\d,]+)\]", text)
    return max(math.prod(map(int, shape.split(","))) for shape in shapes)


def test_no_array_of_batch_length_vocabulary_is_compiled(random_params) -> None:
    model = ModelConfig(vocab_size=2048, d_model=8, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=4, d_ff=8)
    params = random_params(model, "lm")
    batch = device(pack_sft([TokenisedSolution([1] * 64, [True] * 64)] * 4, 64))
    all_logits = 4 * 64 * 2048
    chunked = jax.grad(lambda p, b: sft_loss(model, p, b, chunk=8)[0])
    assert largest_array(chunked, params, batch) <= all_logits // 8
    assert (
        largest_array(jax.grad(functools.partial(plain_loss, model)), params, batch) >= 63 * all_logits // 64
    )
