"""Compiles training steps and the engine's programs for TPUs that are not here, and prints what they take on each chip.

    python launch/compile_for_topology.py --topology v5p:4x4x4 --model qwen2.5-math-7b --job sft --fsdp 64
    python launch/compile_for_topology.py --topology v5e-16 --model qwen2.5-math-1.5b --job sft --search
    python launch/compile_for_topology.py --topology v5e:2x2 --model qwen2.5-math-7b --job decode --tensor 4
    python launch/compile_for_topology.py --table runs/topologies

Needs Linux on x86-64 and libtpu (`pip install -e .[topology]`), but no TPU: nothing runs. Allow a minute or two for
each program. The exit code is 1 if a program does not fit, or if one of the engine's would copy its pool instead of
writing over it.
"""

import os

# Before JAX is imported: chips that may be here are not for us, and nobody is to be asked where this machine is.
os.environ |= {"JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1"}

import tyro

from rstar_jax.ahead_of_time.command import Flags, main
from rstar_jax.errors import run_main

if __name__ == "__main__":
    flags = tyro.cli(Flags, description=__doc__)
    run_main(lambda: main(flags))
