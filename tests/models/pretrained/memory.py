"""Run by `test_hosts.py`: growth of the peak memory while a folder loads, over the bytes that are kept."""

from __future__ import annotations

import resource
import sys

import jax

from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import describe, load_model


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(folder: str, *options: str) -> None:
    mesh = make_mesh()
    config = describe(folder).config
    with jax.set_mesh(mesh):  # what JAX itself takes is not the loader's
        jax.block_until_ready(jax.jit(lambda: init_params(describe(options[0]).config, jax.random.key(0)))())
        load_model(options[0], mesh)
    before = peak()
    _, params = load_model(folder, mesh, dtype=options[1], stacked=options[2] == "stacked")
    kept = sum(leaf.nbytes for leaf in jax.tree.leaves(jax.block_until_ready(params)))
    print((peak() - before) / kept, kept / 2**20, config.n_layers)


if __name__ == "__main__":
    main(*sys.argv[1:])
