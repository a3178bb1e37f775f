"""What of a layer is kept for the backward pass, by name; the rest is computed again there.

Numbers kept per token and layer, in the compute dtype (D model, H heads, K kv heads, h head dimension, F feed-forward):

    none        all that the backward pass reads: several times "products", some of it in float32, and with the
                reference attention the scores. Nothing is computed again
    products    2D + 2(H + K) h + 2F: the results of all matrix products. Norms, the gate and, with the reference,
                attention are computed again
    attention   D + H h: the layer's input and what attention gives. Projections and MLP are computed again
    full        D: the layer's input. The whole layer is computed again
    offload     nothing here, and D in the host's memory, where the inputs of layers wait. For TPUs and GPUs

With splash attention and with that of CPUs "products" and "attention" also keep a float32 a head, the logarithm of the
softmax's sum, and what gave it does not run again. Those of cuDNN have no name, so there it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax

Remat = Literal["none", "products", "attention", "full", "offload"]

INPUT = "input"
QKV = "qkv"
HEADS = "heads"  # of attention, before they are projected
MIDDLE = "middle"  # the stream between attention and MLP
HIDDEN = "hidden"  # the two products of the MLP before the gate


def with_remat(layer: Callable[..., Any], remat: Remat) -> Callable[..., Any]:
    """The same function with another backward pass.

    Raises:
      ValueError: there is no such policy.
    """
    policies = jax.checkpoint_policies
    if remat == "none":
        return layer
    if remat == "full":
        return jax.checkpoint(layer)
    if remat == "products":
        return jax.checkpoint(layer, policy=policies.save_only_these_names(QKV, HEADS, MIDDLE, HIDDEN))
    if remat == "attention":
        return jax.checkpoint(layer, policy=policies.save_only_these_names(HEADS))
    if remat == "offload":
        offload = policies.save_and_offload_only_these_names(
            names_which_can_be_saved=[],
            names_which_can_be_offloaded=[INPUT],
            offload_src="device",
            offload_dst="pinned_host",
        )
        return jax.checkpoint(layer, policy=offload)
    raise ValueError(f"remat={remat!r} is none of {', '.join(get_args(Remat))}")
