"""One table per family: which part of which Hugging Face tensor each of our parameters is. Read in both directions.

Axes are named by the letters of `models.config`. A file's matrix has two axes, each a product of ours ("KGh" by "D"),
where ours has them apart and in another order ("DKGh"). Fused projections are several parts of one tensor.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rstar_jax.models.config import Head, ModelConfig

Index = Sequence[slice]


@dataclasses.dataclass(frozen=True)
class Weight:
    """A parameter of ours as a part of a file's tensor.

    path: where it is in "outer", or in "blocks" (without the axis N of layers). name: of the file's tensor; "{}" is the
    layer's number. axes: ours. file_axes: the tensor's, each a product of ours. start: its first row in the tensor.
    """

    path: tuple[str, ...]
    name: str
    axes: str
    file_axes: tuple[str, ...]
    start: int = 0

    @property
    def in_layers(self) -> bool:
        return "{}" in self.name

    def of(self, tree: Any) -> Any:
        """What a tree like "outer" or a block holds for this parameter."""
        return functools.reduce(lambda found, step: found[step], self.path, tree)


@dataclasses.dataclass(frozen=True)
class Table:
    """The weights of an architecture with a head, and the sizes behind the letters (V without its padding)."""

    weights: tuple[Weight, ...]
    sizes: Mapping[str, int]
    n_layers: int

    @functools.cached_property
    def parts(self) -> dict[str, list[tuple[Weight, int | None]]]:
        """The tensors of a file, in the order of the model: the weights in each by row, and its layer."""
        first, *last = [weight for weight in self.weights if not weight.in_layers]
        layers = [(weight, layer) for layer in range(self.n_layers) for weight in self.weights if weight.in_layers]
        found: dict[str, list[tuple[Weight, int | None]]] = {}
        for weight, layer in [(first, None), *layers, *((weight, None) for weight in last)]:
            found.setdefault(weight.name.format(layer), []).append((weight, layer))
        return found

    def tensor_shape(self, name: str) -> tuple[int, ...]:
        shapes = [self._file_shape(weight) for weight, _ in self.parts[name]]
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def file_index(self, weight: Weight, index: Index) -> tuple[slice, ...]:
        """The part of the file's tensor that holds part `index` of our parameter (of one layer of it).

        An axis that is a product can be cut along its first factor only.
        """
        cut = self._bounds(weight, index)
        found = []
        for number, (first, *rest) in enumerate(weight.file_axes):
            for letter in rest:
                if cut[letter] != (0, self.sizes[letter]):
                    raise ValueError(f"{weight.name} cannot be cut along {letter}")
            inner = math.prod(self.sizes[letter] for letter in rest)
            offset = weight.start if number == 0 else 0
            found.append(slice(offset + cut[first][0] * inner, offset + cut[first][1] * inner))
        return tuple(found)

    def from_file(self, weight: Weight, part: Any, index: Index) -> Any:
        """Part `index` of our parameter, from the part of the tensor that `file_index` names."""
        cut, letters = self._bounds(weight, index), "".join(weight.file_axes)
        part = part.reshape([cut[x][1] - cut[x][0] for x in letters])
        return part.transpose([letters.index(x) for x in weight.axes])

    def to_file(self, weight: Weight, value: Any) -> Any:
        """The rows of the file's tensor for one layer of our parameter."""
        letters = "".join(weight.file_axes)
        return value.transpose([weight.axes.index(x) for x in letters]).reshape(self._file_shape(weight))

    def _bounds(self, weight: Weight, index: Index) -> dict[str, tuple[int, int]]:
        parts = zip(weight.axes, index, strict=True)
        return {letter: part.indices(self.sizes[letter])[:2] for letter, part in parts}

    def _file_shape(self, weight: Weight) -> tuple[int, ...]:
        return tuple(math.prod(self.sizes[x] for x in letters) for letters in weight.file_axes)


def table(config: ModelConfig, head: Head) -> Table:
    """The table of an architecture. A tied LM head is no tensor, a value head has a file of its own."""
    c = config
    sizes = {"V": c.vocab_size, "D": c.d_model, "K": c.n_kv_heads, "G": c.group_size, "h": c.head_dim, "F": c.d_ff}
    outer = [
        Weight(("embed",), "model.embed_tokens.weight", "VD", ("V", "D")),
        Weight(("final_norm",), "model.norm.weight", "D", ("D",)),
    ]
    if head == "lm" and not c.tie_embeddings:
        outer.append(Weight(("lm_head",), "lm_head.weight", "DV", ("V", "D")))
    return Table((*outer, *_layer(config)), sizes, c.n_layers)


def _layer(config: ModelConfig) -> list[Weight]:
    projections = _fused(config) if config.family == "phi3" else _separate(config)
    extra = []
    if config.qk_norm:
        extra = [_in_layer(f"attention.{x}_norm", f"self_attn.{x}_norm.weight", "h", "h") for x in "qk"]
    return [
        _in_layer("attention_norm", "input_layernorm.weight", "D", "D"),
        *projections,
        *extra,
        _in_layer("attention.o", "self_attn.o_proj.weight", "KGhD", "D KGh"),
        _in_layer("mlp_norm", "post_attention_layernorm.weight", "D", "D"),
        _in_layer("mlp.down", "mlp.down_proj.weight", "FD", "D F"),
    ]


def _separate(config: ModelConfig) -> list[Weight]:
    heads = {"q": "KGh", "k": "Kh", "v": "Kh"}
    weights = [_in_layer(f"attention.{x}", f"self_attn.{x}_proj.weight", "D" + h, h + " D") for x, h in heads.items()]
    if config.qkv_bias:
        weights += [_in_layer(f"attention.{x}_bias", f"self_attn.{x}_proj.bias", h, h) for x, h in heads.items()]
    return weights + [_in_layer(f"mlp.{x}", f"mlp.{x}_proj.weight", "DF", "F D") for x in ("gate", "up")]


def _fused(config: ModelConfig) -> list[Weight]:
    """Phi-3: queries, keys and values in one matrix, gate and up in another."""
    queries, keys = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    qkv, gate_up = "self_attn.qkv_proj.weight", "mlp.gate_up_proj.weight"
    return [
        _in_layer("attention.q", qkv, "DKGh", "KGh D"),
        _in_layer("attention.k", qkv, "DKh", "Kh D", queries),
        _in_layer("attention.v", qkv, "DKh", "Kh D", queries + keys),
        _in_layer("mlp.gate", gate_up, "DF", "F D"),
        _in_layer("mlp.up", gate_up, "DF", "F D", config.d_ff),
    ]


def _in_layer(path: str, name: str, axes: str, file_axes: str, start: int = 0) -> Weight:
    return Weight(tuple(path.split(".")), f"model.layers.{{}}.{name}", axes, tuple(file_axes.split()), start)
