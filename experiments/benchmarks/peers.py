"""Other libraries that generate from the same weights: what `generation.py` compares our engine with.

A peer gets our parameters, converted here, and answers one batch after another: all rows begin together and the batch
ends when its last row does. Neither peer shares a prompt among its siblings; each row is computed for itself.

    pip install -e .[peers]
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params

PAD = 0  # a token that prompts do not contain
BUCKET = 128  # tunix: prompts are padded to a multiple, one compilation for each
Prompts = Sequence[Sequence[int]]
Siblings = list[list[int]]


class Peer(Protocol):
    """A library with our weights."""

    name: str

    def prepare(self, prompts: Prompts, n: int, max_tokens: int) -> None:
        """Whatever happens once for batches of this shape, compilation above all."""
        ...

    def generate(
        self, prompts: Prompts, n: int, max_tokens: int, seed: int = 0, greedy: bool = False
    ) -> list[Siblings]:
        """For each prompt `n` completions at temperature 1, each up to its first stop token (included).

        greedy: the most likely tokens instead, with no stops.
        """
        ...


def find_peers(config: ModelConfig, params: Params, stop_ids: tuple[int, ...]) -> tuple[list[Peer], list[str]]:
    """Those that are installed, and the names of the packages that are missing."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # else torch spins, twenty times slower on a busy core
    wanted = {"torch": Transformers, "tunix": Tunix}
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    host = jax.tree.map(np.asarray, params)
    return [make(config, host, stop_ids) for name, make in wanted.items() if name not in missing], missing


class Transformers:
    """`Qwen2ForCausalLM.generate`: left-padded, with its own cache of keys and values; one thread a CPU core."""

    name = "transformers"

    def __init__(self, config: ModelConfig, params: Params, stop_ids: tuple[int, ...]):
        import torch
        import transformers

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self._torch, self._stop_ids = torch, list(stop_ids)
        self._model: Any = transformers.Qwen2ForCausalLM(transformers_config(config)).eval()
        state = {name: torch.from_numpy(np.array(leaf)) for name, leaf in to_transformers(config, params).items()}
        self._model.load_state_dict(state)

    def prepare(self, prompts: Prompts, n: int, max_tokens: int) -> None:
        """Nothing is compiled."""

    def generate(
        self, prompts: Prompts, n: int, max_tokens: int, seed: int = 0, greedy: bool = False
    ) -> list[Siblings]:
        torch, length = self._torch, max(map(len, prompts))
        ids = torch.tensor([[PAD] * (length - len(prompt)) + list(prompt) for prompt in prompts])
        how = {"do_sample": False} if greedy else {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "do_sample": True}
        stops = None if greedy else self._stop_ids
        torch.manual_seed(seed)
        with torch.inference_mode():
            out = self._model.generate(
                ids,
                attention_mask=(ids != PAD).long(),
                max_new_tokens=max_tokens,
                num_return_sequences=n,
                eos_token_id=stops,
                pad_token_id=PAD,
                **how,
            )
        rows = [until_stop(row, stops or ()) for row in out[:, length:].tolist()]
        return in_families(rows, n)


class Tunix:
    """Tunix' `Sampler` over its own Qwen2, one for each padded length, whose cache is just large enough."""

    name = "tunix"

    def __init__(self, config: ModelConfig, params: Params, stop_ids: tuple[int, ...]):
        self._config, self._stop_ids = config, list(stop_ids)
        self._model = make_tunix(config, params)
        self._samplers: dict[tuple[int, bool], Any] = {}
        self._seen: set[tuple[int, int]] = set()

    def prepare(self, prompts: Prompts, n: int, max_tokens: int) -> None:
        shape = (len(prompts) * n, padded(prompts))
        if shape not in self._seen:
            self._seen.add(shape)
            self.generate(prompts, n, max_tokens)

    def generate(
        self, prompts: Prompts, n: int, max_tokens: int, seed: int = 0, greedy: bool = False
    ) -> list[Siblings]:
        length = padded(prompts)
        sampler = self._sampler(length + max_tokens, greedy)
        # Stops are compiled into a sampler, and none at all cannot be said.
        stops = [-1] if greedy else self._stop_ids
        how = {} if greedy else {"temperature": 1.0, "top_p": 1.0, "seed": seed}  # with no top_p it would be greedy
        rows = [list(prompt) for prompt in prompts for _ in range(n)]
        out = sampler(rows, max_tokens, max_prompt_length=length, eos_tokens=stops, **how)
        drawn = [np.asarray(row).tolist() for row in out.tokens]  # without the stop token, which was drawn too
        return in_families([row if len(row) == max_tokens else [*row, stops[0]] for row in drawn], n)

    def _sampler(self, size: int, greedy: bool) -> Any:
        from tunix.generate.sampler import CacheConfig, Sampler

        if (size, greedy) not in self._samplers:
            c = self._config
            cache = CacheConfig(size, c.n_layers, c.n_kv_heads, c.head_dim)
            self._samplers[size, greedy] = Sampler(self._model, Ids(), cache)
        return self._samplers[size, greedy]


class Ids:
    """A tokenizer for Tunix whose texts are token ids."""

    def encode(self, text: list[int]) -> list[int]:
        return text

    def decode(self, ids: list[int]) -> list[int]:
        return ids

    def bos_id(self) -> int | None:
        return None

    def eos_id(self) -> int:
        return -1

    def pad_id(self) -> int:
        return PAD


def padded(prompts: Prompts) -> int:
    return -(-max(map(len, prompts)) // BUCKET) * BUCKET


def until_stop(row: list[int], stop_ids: Sequence[int]) -> list[int]:
    """Up to the first stop token, included."""
    ends = set(stop_ids)
    return row[: next((place for place, token in enumerate(row) if token in ends), len(row)) + 1]


def in_families(rows: Siblings, n: int) -> list[Siblings]:
    return [rows[at : at + n] for at in range(0, len(rows), n)]


# --- Weights ------------------------------------------------------------------------------------------
# Ours: {"outer": …, "blocks": … stacked along N}; projections are [D, K, G, h], inputs first. Query head number
# k * G + g reads kv head k in all three libraries, so that [K, G] is one axis of heads there.


def transformers_config(config: ModelConfig) -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=config.vocab_size,
        hidden_size=config.d_model,
        intermediate_size=config.d_ff,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_kv_heads,
        max_position_embeddings=config.max_length,
        rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )


def to_transformers(config: ModelConfig, params: Params) -> dict[str, np.ndarray]:
    """A state dict. Linear layers keep [outputs, inputs]."""
    outer, blocks, D = params["outer"], params["blocks"], config.d_model
    state = {
        "model.embed_tokens.weight": outer["embed"],
        "lm_head.weight": outer["embed"],
        "model.norm.weight": outer["final_norm"],
    }
    for i in range(config.n_layers):
        block = jax.tree.map(lambda leaf, i=i: leaf[i], blocks)
        heads, mlp, layer = block["attention"], block["mlp"], f"model.layers.{i}"
        for name in ("q", "k", "v"):
            state[f"{layer}.self_attn.{name}_proj.weight"] = heads[name].reshape(D, -1).T
            state[f"{layer}.self_attn.{name}_proj.bias"] = heads[f"{name}_bias"].reshape(-1)
        state[f"{layer}.self_attn.o_proj.weight"] = heads["o"].reshape(-1, D).T
        for name in ("gate", "up", "down"):
            state[f"{layer}.mlp.{name}_proj.weight"] = mlp[name].T
        state[f"{layer}.input_layernorm.weight"] = block["attention_norm"]
        state[f"{layer}.post_attention_layernorm.weight"] = block["mlp_norm"]
    return state


def make_tunix(config: ModelConfig, params: Params) -> Any:
    """Tunix' model with our weights: [D, heads, h], [heads, h, D], and biases in one axis."""
    from flax import nnx
    from tunix.models.qwen2 import model as qwen2

    model = qwen2.Qwen2(qwen2.ModelConfig(**tunix_sizes(config)), rngs=nnx.Rngs(0))
    outer, (D, H, h) = params["outer"], (config.d_model, config.n_heads, config.head_dim)
    model.embedder.input_embedding.set_value(jnp.array(outer["embed"]))
    model.final_norm.w.set_value(jnp.array(outer["final_norm"]))
    for i, layer in enumerate(model.layers):
        block = jax.tree.map(lambda leaf, i=i: jnp.array(leaf[i]), params["blocks"])
        heads, mlp = block["attention"], block["mlp"]
        for name in ("q", "k", "v"):
            getattr(layer.attn, f"{name}_proj").w.set_value(heads[name].reshape(D, -1, h))
            getattr(layer.attn, f"{name}_bias").set_value(heads[f"{name}_bias"].reshape(-1))
        layer.attn.o_proj.w.set_value(heads["o"].reshape(H, h, D))
        for name in ("gate", "up", "down"):
            getattr(layer.mlp, f"{name}_proj").kernel.set_value(mlp[name])
        layer.input_layernorm.w.set_value(block["attention_norm"])
        layer.post_attention_layernorm.w.set_value(block["mlp_norm"])
    return model


def tunix_sizes(config: ModelConfig) -> dict[str, Any]:
    return {
        "num_layers": config.n_layers,
        "vocab_size": config.vocab_size,
        "embed_dim": config.d_model,
        "hidden_dim": config.d_ff,
        "num_heads": config.n_heads,
        "head_dim": config.head_dim,
        "num_kv_heads": config.n_kv_heads,
        "rope_theta": int(config.rope_theta),
        "norm_eps": config.norm_eps,
        "use_tied_embedding": True,
    }
