"""Run by `test_hosts.py` in processes of their own: load a folder on a mesh, and say what was read.

    hosts.py FOLDER ADDRESS PROCESS PROCESSES DEVICES FSDP TENSOR

Prints JSON: bytes that this process read, bytes of the parameters, and a digest of all parameters.
"""

from __future__ import annotations

import hashlib
import json
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

from rstar_jax.models.pretrained import files
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_model


def main(folder: str, address: str, process: int, processes: int, devices: int, fsdp: int, tensor: int) -> None:
    jax.config.update("jax_num_cpu_devices", devices)
    if processes > 1:
        jax.distributed.initialize(address, processes, process)
    read = []
    original = files.TensorFiles.read

    def counting(self, name, index):
        part = original(self, name, index)
        read.append(part.nbytes)
        return part

    files.TensorFiles.read = counting
    _, params = load_model(folder, make_mesh(fsdp=fsdp, tensor=tensor))
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(params):
        whole = multihost_utils.process_allgather(leaf, tiled=True) if processes > 1 else np.asarray(leaf)
        digest.update(np.ascontiguousarray(whole).tobytes())
    total = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    print(json.dumps({"read": sum(read), "total": total, "digest": digest.hexdigest()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
