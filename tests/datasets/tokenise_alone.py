"""Run in a process of its own: tokenise a file, read some rows, and print by how many bytes that raised the peak of
the resident memory.

    python tokenise_alone.py JOB FILE FOLDER TOKENIZER
"""

from __future__ import annotations

import pathlib
import resource
import sys

import numpy as np

from rstar_jax.datasets.tokenise import TokeniseConfig, tokenise_files
from rstar_jax.trajectory.tokenizer import load_tokenizer


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kilobytes


if __name__ == "__main__":
    job, file, folder, model = sys.argv[1:]
    tokenizer = load_tokenizer(model)
    tokenizer.encode_batch(["2 + 2"] * 64)  # its threads
    before = peak()
    config = TokeniseConfig(job, row_length=1024, held_out=0.1)
    data = tokenise_files([pathlib.Path(file)], pathlib.Path(folder), tokenizer, config).train
    for seed in range(4):
        data.rows(np.random.default_rng(seed).integers(0, data.n_rows, 16))
    print(peak() - before)
