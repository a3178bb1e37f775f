"""The decoder of policy and PPM: Flax NNX declares the parameters, plain `jax` transformations run them.

Stages: `init_params` (or a checkpoint) gives a plain tree of arrays whose layer leaves are stacked along N;
`hidden_states` runs whole sequences with a scan over layers (training, scoring);
`cached_hidden_states` runs new tokens against keys and values that somebody keeps, with layers unrolled (the engine);
`logits` and `values` are the two heads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from rstar_jax.models import lm_head
from rstar_jax.models.attention import Implementation, SelfAttention, self_attention
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.remat import HIDDEN, INPUT, MIDDLE, QKV, Remat, with_remat
from rstar_jax.models.rope import plain_frequencies
from rstar_jax.models.sharding import ACTIVATION, RULES, TOKENS, gather

Params = dict[str, Any]
Attend = Callable[[jax.Array, jax.Array, jax.Array, Any], tuple[jax.Array, Any]]
"""(q [B, L, K, G, h], k and v [B, L, K, h], a layer's cache) -> (heads [B, L, K, G, h], the cache with k and v)."""


def _param(key: jax.Array, shape: tuple[int, ...], axes: tuple[str | None, ...], scale: float, dtype: str):
    return nnx.Param(scale * jax.random.normal(key, shape, jnp.dtype(dtype)), logical_axes=axes)


def _constant(value: float, shape: tuple[int, ...], axes: tuple[str | None, ...], dtype: str):
    return nnx.Param(jnp.full(shape, value, jnp.dtype(dtype)), logical_axes=axes)


def rms_norm(x: Float[Array, "*B D"], scale: Float[Array, " D"], eps: float) -> Float[Array, "*B D"]:
    """Root-mean-square norm in float32."""
    x32 = x.astype(jnp.float32)
    x32 = x32 * jax.lax.rsqrt(jnp.mean(x32 * x32, axis=-1, keepdims=True) + eps)
    return (x32 * scale.astype(jnp.float32)).astype(x.dtype)


class Turn(NamedTuple):
    """Cosine and sine of the angles by which each pair of a head's dimensions is turned."""

    cos: Float[Array, "B L r"]
    sin: Float[Array, "B L r"]


def turn(config: ModelConfig, positions: Int[Array, "B L"]) -> Turn:
    """Rotary position embedding: how queries and keys at `positions` are turned, in every layer alike."""
    scaling, width = config.rope_scaling, config.rope_width
    if scaling is None:
        frequencies, factor = plain_frequencies(config.rope_theta, width), 1.0
    else:
        frequencies = scaling.frequencies(config.rope_theta, width, config.max_length)
        factor = scaling.attention_factor
    angles = positions.astype(jnp.float32)[..., None] * frequencies
    return Turn(jnp.cos(angles) * factor, jnp.sin(angles) * factor)


def rotate(x: Float[Array, "B L *K h"], by: Turn) -> Float[Array, "B L *K h"]:
    """Halves of the rotated dimensions are pairs, as in the Hugging Face checkpoints; the rest stays."""
    half = by.cos.shape[-1]
    cos, sin = jax.tree.map(lambda a: a.reshape(*a.shape[:2], *(1,) * (x.ndim - 3), half), by)
    x1, x2 = x[..., :half].astype(jnp.float32), x[..., half : 2 * half].astype(jnp.float32)
    turned = jnp.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1).astype(x.dtype)
    return turned if 2 * half == x.shape[-1] else jnp.concatenate([turned, x[..., 2 * half :]], axis=-1)


class Attention(nnx.Module):
    """Projections of grouped-query attention; query heads are kept as [K, G] so that K alone is sharded."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        c, dtype = config, config.param_dtype
        D, K, G, h = c.d_model, c.n_kv_heads, c.group_size, c.head_dim
        self.config = config
        self.q = _param(rngs.params(), (D, K, G, h), ("embed", "kv_heads", None, None), D**-0.5, dtype)
        self.k = _param(rngs.params(), (D, K, h), ("embed", "kv_heads", None), D**-0.5, dtype)
        self.v = _param(rngs.params(), (D, K, h), ("embed", "kv_heads", None), D**-0.5, dtype)
        out_scale = (K * G * h * 2 * c.n_layers) ** -0.5
        self.o = _param(rngs.params(), (K, G, h, D), ("kv_heads", None, None, "embed"), out_scale, dtype)
        if c.init == "mimetic":
            self._mimic()
        if c.qkv_bias:
            self.q_bias = _constant(0.0, (K, G, h), ("kv_heads", None, None), dtype)
            self.k_bias = _constant(0.0, (K, h), ("kv_heads", None), dtype)
            self.v_bias = _constant(0.0, (K, h), ("kv_heads", None), dtype)
        if c.qk_norm:
            self.q_norm = _constant(1.0, (h,), (None,), dtype)
            self.k_norm = _constant(1.0, (h,), (None,), dtype)

    def _mimic(self) -> None:
        """q·k near the identity, so that equal tokens attend to each other, and v·o too, so that they are copied."""
        keys, values = 1.4 * self.k[...], jnp.moveaxis(self.v[...], 0, -1)  # [D, K, h], [K, h, D]
        self.k.set_value(keys)
        self.q.set_value(0.7 * keys[:, :, None] + 0.3 * self.q[...])
        self.o.set_value(0.5 * values[:, None] + 0.5 * self.o[...])

    def qkv(self, x: Float[Array, "B L D"], by: Turn) -> tuple[Array, Array, Array]:
        """Rotated queries [B, L, K, G, h] and keys, and values [B, L, K, h]."""
        c, flat = self.config, _flat(x)
        q = _unflat(jnp.einsum("TD,DKGh->TKGh", flat, _use(self.q, x)), x)
        k = _unflat(jnp.einsum("TD,DKh->TKh", flat, _use(self.k, x)), x)
        v = _unflat(jnp.einsum("TD,DKh->TKh", flat, _use(self.v, x)), x)
        if c.qkv_bias:
            q, k, v = q + _use(self.q_bias, x), k + _use(self.k_bias, x), v + _use(self.v_bias, x)
        if c.qk_norm:
            q = rms_norm(q, self.q_norm[...], c.norm_eps)
            k = rms_norm(k, self.k_norm[...], c.norm_eps)
        return rotate(q, by), rotate(k, by), v

    def project(self, heads: Float[Array, "B L K G h"]) -> Float[Array, "B L D"]:
        o = _use(self.o, heads)
        return _unflat(jnp.einsum("TKGh,KGhD->TD", _flat(heads), o, out_sharding=TOKENS), heads)


class Mlp(nnx.Module):
    """SwiGLU."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        D, F, dtype = config.d_model, config.d_ff, config.param_dtype
        self.gate = _param(rngs.params(), (D, F), ("embed", "ffw"), D**-0.5, dtype)
        self.up = _param(rngs.params(), (D, F), ("embed", "ffw"), D**-0.5, dtype)
        self.down = _param(rngs.params(), (F, D), ("ffw", "embed"), (F * 2 * config.n_layers) ** -0.5, dtype)

    def __call__(self, x: Float[Array, "B L D"]) -> Float[Array, "B L D"]:
        flat = _flat(x)
        gate, up = checkpoint_name((flat @ _use(self.gate, x), flat @ _use(self.up, x)), HIDDEN)
        hidden = jax.nn.silu(gate) * up
        return _unflat(jnp.einsum("TF,FD->TD", hidden, _use(self.down, x), out_sharding=TOKENS), x)


class Block(nnx.Module):
    """One layer: attention and MLP, each behind a norm, each added to the stream."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        self.config = config
        self.attention_norm = _constant(1.0, (config.d_model,), (None,), config.param_dtype)
        self.attention = Attention(config, rngs)
        self.mlp_norm = _constant(1.0, (config.d_model,), (None,), config.param_dtype)
        self.mlp = Mlp(config, rngs)

    def __call__(self, x: Array, by: Turn, attend: SelfAttention) -> Array:
        x = checkpoint_name(x, INPUT)
        normed = rms_norm(x, self.attention_norm[...], self.config.norm_eps)
        q, k, v = checkpoint_name(self.attention.qkv(normed, by), QKV)
        x = checkpoint_name(x + self.attention.project(attend(q, k, v)), MIDDLE)
        return x + self.mlp(rms_norm(x, self.mlp_norm[...], self.config.norm_eps))

    def cached(self, x: Array, by: Turn, cache: Any, attend: Attend) -> tuple[Array, Any]:
        """The same for new tokens: `attend` adds their keys and values to the cache and looks at what it holds."""
        q, k, v = self.attention.qkv(rms_norm(x, self.attention_norm[...], self.config.norm_eps), by)
        heads, cache = attend(q, k, v, cache)
        x = x + self.attention.project(heads)
        return x + self.mlp(rms_norm(x, self.mlp_norm[...], self.config.norm_eps)), cache


class Outer(nnx.Module):
    """What surrounds the layers: embedding, last norm and one of the two heads."""

    def __init__(self, config: ModelConfig, head: Head, rngs: nnx.Rngs):
        V, D, dtype = config.rows, config.d_model, config.param_dtype
        self.embed = _param(rngs.params(), (V, D), ("vocab", "embed"), config.init_scale, dtype)
        self.final_norm = _constant(1.0, (D,), (None,), dtype)
        if head == "lm" and not config.tie_embeddings:
            self.lm_head = _param(rngs.params(), (D, V), ("embed", "vocab"), D**-0.5, dtype)
        if head == "value":
            # As the authors' head: float32 whatever the decoder is in.
            self.value_weight = _param(rngs.params(), (D,), (None,), 0.0, "float32")
            self.value_bias = _constant(0.0, (), (), "float32")


def _flat(x: Float[Array, "B L *D"]) -> Float[Array, "T ..."]:
    """All tokens of a batch in one axis: gradients of weights are then plain matrix products.

    How that axis is split must be said: it would not be for a single row.
    """
    spec = P(RULES.batch, *jax.typeof(x).sharding.spec[2:])
    return jax.lax.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]), out_sharding=spec)


def _unflat(x: Float[Array, "T ..."], like: Array) -> Float[Array, "B L *D"]:
    """Back to rows; which axis of the two is sharded must be said, a single row could be either."""
    spec = P(RULES.batch, None, *jax.typeof(x).sharding.spec[1:])
    return jax.lax.reshape(x, (*like.shape[:2], *x.shape[1:]), out_sharding=spec)


def _use(param: nnx.Param, like: jax.Array) -> jax.Array:
    """A weight ready for use: gathered over fsdp, in the dtype of the activations."""
    return gather(param[...].astype(like.dtype), param.get_metadata("logical_axes"))


@functools.cache
def _abstract(config: ModelConfig, head: Head) -> tuple[Any, Any, Any, Any]:
    """(graph of a block, state of a block, graph of the outer part, its state), all without arrays."""
    block = nnx.eval_shape(lambda: Block(config, nnx.Rngs(0)))
    outer = nnx.eval_shape(lambda: Outer(config, head, nnx.Rngs(0)))
    return (*nnx.split(block), *nnx.split(outer))


def init_params(config: ModelConfig, key: jax.Array, head: Head = "lm") -> Params:
    """Fresh parameters: {"outer": …, "blocks": … with a leading axis N}. The PPM's head starts at zero."""
    key_outer, key_blocks = jax.random.split(key)

    def block(key: jax.Array) -> Params:
        return nnx.to_pure_dict(nnx.state(Block(config, nnx.Rngs(params=key))))

    return {
        "outer": nnx.to_pure_dict(nnx.state(Outer(config, head, nnx.Rngs(params=key_outer)))),
        "blocks": jax.vmap(block)(jax.random.split(key_blocks, config.n_layers)),
    }


def logical_axes(config: ModelConfig, head: Head = "lm", stacked: bool = True) -> Params:
    """The tree of `init_params` (or of `unstacked`) with each array replaced by the names of its axes."""
    _, block, _, outer = _abstract(config, head)

    def names(state: Any, prefix: tuple[str, ...]) -> Params:
        def name(variable: Any) -> tuple:
            return prefix + variable.get_metadata("logical_axes")

        return nnx.to_pure_dict(jax.tree.map(name, state, is_leaf=lambda x: isinstance(x, nnx.Variable)))

    blocks = names(block, ("layers",)) if stacked else [names(block, ())] * config.n_layers
    return {"outer": names(outer, ()), "blocks": blocks}


def parameter_count(params: Params) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def value_params(config: ModelConfig, policy: Params) -> Params:
    """The PPM's initial parameters: the policy's decoder with the LM head replaced by a scalar head (3.4.1)."""
    outer = {name: policy["outer"][name] for name in ("embed", "final_norm")}
    outer |= {"value_weight": jnp.zeros(config.d_model), "value_bias": jnp.zeros(())}
    return {"outer": outer, "blocks": policy["blocks"]}


def _embed(config: ModelConfig, params: Params, tokens: Int[Array, "B L"]) -> Float[Array, "B L D"]:
    table = gather(params["outer"]["embed"].astype(config.compute_dtype), ("vocab", "embed"))
    return table.at[tokens].get(out_sharding=ACTIVATION)


def hidden_states(
    config: ModelConfig,
    params: Params,
    tokens: Int[Array, "B L"],
    rows: PackedRows,
    remat: Remat = "none",
    implementation: Implementation | None = None,
) -> Float[Array, "B L D"]:
    """Whole packed rows through all layers (scan over N), after the last norm.

    Args:
      remat: what the backward pass finds kept; see `models.remat`.
      implementation: of attention; by default the one for the devices that `rows` are on.
    """
    graph = _abstract(config, "lm")[0]
    attend = self_attention(config, rows, implementation)
    by = turn(config, rows.positions)

    def layer(x: Array, block: Params) -> tuple[Array, None]:
        return nnx.merge(graph, block)(x, by, attend), None

    x, _ = jax.lax.scan(with_remat(layer, remat), _embed(config, params, tokens), params["blocks"])
    return rms_norm(x, params["outer"]["final_norm"], config.norm_eps)


def unstacked(config: ModelConfig, params: Params) -> Params:
    """The same parameters with "blocks" as a list of N layers, as `cached_hidden_states` takes them."""
    blocks = [jax.tree.map(lambda leaf, i=i: leaf[i], params["blocks"]) for i in range(config.n_layers)]
    return {"outer": params["outer"], "blocks": blocks}


def cached_hidden_states(
    config: ModelConfig,
    params: Params,
    tokens: Int[Array, "B L"],
    positions: Int[Array, "B L"],
    caches: Sequence[Any],
    attend: Attend,
) -> tuple[Float[Array, "B L D"], list[Any]]:
    """New tokens at `positions` of their sequences, against what the layers' caches hold of earlier ones.

    `params` come from `unstacked`: a loop that sliced the stack would copy every weight for every token.
    """
    graph = _abstract(config, "lm")[0]
    x, by = _embed(config, params, tokens), turn(config, positions)
    new_caches = []
    for block, cache in zip(params["blocks"], caches, strict=True):
        x, cache = nnx.merge(graph, block).cached(x, by, cache, attend)
        new_caches.append(cache)
    return rms_norm(x, params["outer"]["final_norm"], config.norm_eps), new_caches


def logits(config: ModelConfig, params: Params, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
    """Next-token logits in float32; the padding of the vocabulary has no probability."""
    weight = gather(lm_head.weight(config, params).astype(hidden.dtype), lm_head.axes(config))
    return lm_head.project(config, weight, hidden)


def values(params: Params, hidden: Float[Array, "*B D"]) -> Float[Array, "*B"]:
    """The PPM's raw scalar (before any squashing) in float32."""
    outer = params["outer"]
    raw = hidden.astype(jnp.float32) @ outer["value_weight"].astype(jnp.float32)
    return raw + outer["value_bias"].astype(jnp.float32)
