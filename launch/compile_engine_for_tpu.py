"""Compiles the engine's programs for TPUs that are not here, and prints what they take on each chip.

    python launch/compile_engine_for_tpu.py --chips v5e:2x2 --model qwen2.5-math-7b --tensor 4

Needs Linux on x86-64 and libtpu (`pip install -e .[topology]`), but no TPU: nothing runs. Allow a minute or two for
each program. The exit code is 1 if one would copy its pool instead of writing over it.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import tyro
from jax.sharding import Mesh

from rstar_jax.errors import InputError, run_main
from rstar_jax.inference.ahead_of_time import Compiled, compile_, lower, pool_on_chip, topology
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.published import PUBLISHED, published
from rstar_jax.models.sharding import make_mesh

_STOP_IDS = (151643, 151645)  # Qwen's <|endoftext|> and <|im_end|>


@dataclasses.dataclass(frozen=True)
class Flags:
    """chips: a topology; the mesh takes as many of its chips as it needs. heads: lm is the policy, value the PPM.

    rows, tokens, pages: of a decoding dispatch, of a prefill or scoring dispatch, and of the pool, for each shard of
    the mesh's axes data and fsdp. item: consecutive tokens that read their pages together. layers: fewer, to be quick.
    """

    chips: str = "v5e:2x2"
    model: Literal[tuple(PUBLISHED)] = "qwen2.5-math-1.5b"  # pyright: ignore[reportInvalidTypeForm]
    heads: tuple[Head, ...] = ("lm", "value")
    data: int = 1
    fsdp: int = 1
    tensor: int = 1
    rows: int = 64
    tokens: int = 512
    item: int = 16
    pages: int = 1024
    page_size: int = 64
    max_length: int = 4096
    layers: int | None = None


def main(flags: Flags) -> int:
    jax.config.update("jax_platforms", "cpu")  # chips that may be here are not for us
    config, sizes, mesh = setting(flags)
    pool, layer_bytes = pool_on_chip(config, sizes, mesh)
    pool_bytes = layer_bytes * config.n_layers
    print(f"{flags.model} on {flags.chips}, data={flags.data} fsdp={flags.fsdp} tensor={flags.tensor};", end=" ")
    print(f"a pool of {sizes.pages} pages of {sizes.page_size} tokens is {mib(pool_bytes)} a chip")
    print(f"{'':17}{'compiled in':>12}{'arguments':>13}{'temporaries':>13}{'outputs':>13}   pool", flush=True)
    all_in_place = True
    for head in flags.heads:
        for name, lowered in lower(config, head, sizes, mesh, _STOP_IDS).items():
            compiled = compile_(lowered, pool, pool_bytes)
            print(line(f"{head} {name}", compiled), flush=True)
            all_in_place &= compiled.in_place
    return 0 if all_in_place else 1


def setting(flags: Flags) -> tuple[ModelConfig, EngineConfig, Mesh]:
    config = published(flags.model)
    if flags.layers is not None:
        config = dataclasses.replace(config, n_layers=flags.layers)
    if config.n_kv_heads % flags.tensor:
        raise InputError(f"{config.n_kv_heads} kv heads cannot be split over tensor={flags.tensor}")
    try:
        sizes = EngineConfig(
            max_length=flags.max_length,
            page_size=flags.page_size,
            block=flags.page_size,
            pages=flags.pages,
            tokens=(flags.tokens,),
            rows=(flags.rows,),
            item=flags.item,
        )
        return config, sizes, make_mesh(flags.data, flags.fsdp, flags.tensor, topology(flags.chips))
    except ValueError as error:  # impossible sizes, or more chips than there are
        raise InputError(str(error)) from error


def line(name: str, compiled: Compiled) -> str:
    sizes = "".join(f"{mib(size):>13}" for size in (compiled.arguments, compiled.temporaries, compiled.outputs))
    pool = "in place" if compiled.in_place else f"copied {compiled.pool_copies} times"
    return f"{name:17}{compiled.seconds:10.1f} s{sizes}   {pool}"


def mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


if __name__ == "__main__":
    flags = tyro.cli(Flags, description=__doc__)
    run_main(lambda: main(flags))
