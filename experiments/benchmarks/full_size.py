"""A model of full size in bfloat16 on this machine: load, generate, score, and there and back, with memory and time.

    python experiments/benchmarks/full_size.py [--model qwen2.5-math-1.5b] [--quick] [--json FILE]

Weights are random (no download), the architecture and the files are the true ones: safetensors of 1 GB each and a
`value_head.safetensors`, written into a temporary folder. Each job runs in a process of its own, whose peak memory is
printed: `load` reads the policy, `generate` draws eight continuations of a prompt, `score` values eight steps with the
PPM, `convert` goes to Orbax and back to Hugging Face and compares every tensor's bytes.

`--quick` takes two layers of qwen2.5-0.5b. The full form needs 12 GB of disk and about seven minutes on two cores.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from safetensors import safe_open
from safetensors.numpy import save_file

from rstar_jax.errors import run_main
from rstar_jax.files import write_json
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine, PPMEngine
from rstar_jax.models.convert import Options as ConvertOptions
from rstar_jax.models.convert import convert
from rstar_jax.models.pretrained.config import from_hugging_face
from rstar_jax.models.pretrained.files import INDEX
from rstar_jax.models.pretrained.names import table
from rstar_jax.models.pretrained.value_head import BIAS, SAFE, WEIGHT
from rstar_jax.models.published import PUBLISHED
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_model

Job = Literal["make", "load", "generate", "score", "convert"]
SIZES = EngineConfig(max_length=1024, pages=256, tokens=(128,), rows=(16,))
PROMPT, SIBLINGS, STEP = 256, 8, 32  # tokens, continuations, tokens of each


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options; `job` and `folder` are for the processes that the benchmark starts."""

    model: str = "qwen2.5-math-1.5b"
    layers: int | None = None  # fewer
    quick: bool = False
    json: pathlib.Path | None = None
    job: Job | None = None
    folder: pathlib.Path = pathlib.Path()


def make(options: Options) -> dict[str, float]:
    """Policy and PPM of the same random weights, a file for each layer."""
    published = PUBLISHED[options.model]
    fields = published | {"num_hidden_layers": options.layers or published["num_hidden_layers"]}
    config, rng = from_hugging_face(fields, options.model), np.random.default_rng(0)
    wanted, policy, ppm = table(config, "lm"), options.folder / "lm", options.folder / "value"
    policy.mkdir()
    ppm.mkdir()
    files: dict[str, str] = {}
    for name in wanted.parts:
        layer = re.search(r"layers\.(\d+)\.", name)
        files[name] = f"model-{layer[1] if layer else name}.safetensors"
    for file in set(files.values()):
        tensors = {name: _random(rng, wanted.tensor_shape(name)) for name in files if files[name] == file}
        save_file(tensors, policy / file, metadata={"format": "pt"})
        (ppm / file).symlink_to(policy / file)
    head = {WEIGHT: rng.standard_normal((1, config.d_model), np.float32), BIAS: np.zeros(1, np.float32)}
    save_file(head, ppm / SAFE)
    for folder in (policy, ppm):
        write_json(folder / "config.json", fields)
        write_json(folder / INDEX, {"metadata": {}, "weight_map": files})
    return {"bytes": sum(file.stat().st_size for file in policy.glob("*.safetensors"))}


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = 0.02 * rng.standard_normal(shape, np.float32)
    return (values if len(shape) > 1 else 1 + values).astype(jnp.bfloat16)


def load(options: Options) -> dict[str, float]:
    config, params = load_model(options.folder / "lm", make_mesh(), stacked=False)
    jax.block_until_ready(params)
    return {"kept_bytes": sum(leaf.nbytes for leaf in jax.tree.leaves(params)), "layers": config.n_layers}


def generate(options: Options) -> dict[str, float]:
    mesh = make_mesh()
    config, params = load_model(options.folder / "lm", mesh, stacked=False)
    engine = PolicyEngine(config, params, SIZES, (), mesh)
    warm_up = sum(engine.warm_up().values())
    prompt = np.random.default_rng(0).integers(0, config.vocab_size, PROMPT)

    async def draw() -> list[int]:
        async with engine:
            found = await engine.generate(prompt, SIBLINGS, Sampling(max_tokens=STEP), 0)
            return [len(one.tokens) for one in found]

    start = time.perf_counter()
    tokens = sum(asyncio.run(draw()))
    seconds = time.perf_counter() - start
    return {"compile_s": warm_up, "new_tokens": tokens, "new_tokens_per_s": tokens / seconds}


def score(options: Options) -> dict[str, float]:
    mesh, rng = make_mesh(), np.random.default_rng(0)
    config, params = load_model(options.folder / "value", mesh, stacked=False)
    engine = PPMEngine(config, params, SIZES, mesh)
    warm_up = sum(engine.warm_up().values())
    prompt = rng.integers(0, config.vocab_size, PROMPT)
    steps = [rng.integers(0, config.vocab_size, STEP) for _ in range(SIBLINGS)]

    async def value() -> list[float]:
        async with engine:
            return await engine.score(prompt, steps)

    start = time.perf_counter()
    scores = asyncio.run(value())
    seconds = time.perf_counter() - start
    assert np.isfinite(scores).all()
    return {"compile_s": warm_up, "steps_per_s": len(scores) / seconds, "spread": float(np.std(scores))}


def there_and_back(options: Options) -> dict[str, float]:
    """Hugging Face -> Orbax -> Hugging Face, and how many tensors have other bytes afterwards."""
    folder = options.folder
    convert(ConvertOptions(str(folder / "lm"), folder / "orbax", "orbax"))
    convert(ConvertOptions(str(folder / "orbax"), folder / "back", "hf", shard_bytes=1 << 30))
    before, after = digests(folder / "lm"), digests(folder / "back")
    different = sum(before.get(name) != after.get(name) for name in before.keys() | after.keys())
    return {"tensors": len(before), "different": different}


def digests(folder: pathlib.Path) -> dict[str, str]:
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            for name in file.keys():  # noqa: SIM118  # no mapping
                found[name] = hashlib.sha256(file.get_tensor(name).tobytes()).hexdigest()
    return found


JOBS: dict[Job, Callable[[Options], dict[str, float]]] = {
    "make": make,
    "load": load,
    "generate": generate,
    "score": score,
    "convert": there_and_back,
}


def measured(options: Options) -> dict[str, float]:
    """A job's figures, its seconds, and the largest memory of this process."""
    assert options.job is not None
    start = time.perf_counter()
    figures = JOBS[options.job](options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return figures | {"seconds": time.perf_counter() - start, "peak_bytes": peak}


def in_a_process(options: Options, job: Job, folder: pathlib.Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--model", options.model, "--job", job, "--folder", str(folder)]
    command += [] if options.layers is None else ["--layers", str(options.layers)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def main(options: Options) -> None:
    if options.job is not None:
        print(json.dumps(measured(options)))
        return
    if options.quick:
        options = dataclasses.replace(options, model="qwen2.5-0.5b", layers=2)
    figures: dict[str, float] = {}
    print(f"{options.model}, bfloat16, random weights")
    with tempfile.TemporaryDirectory() as folder:
        for job in JOBS:
            found = in_a_process(options, job, pathlib.Path(folder))
            figures |= {f"{job}_{name}": value for name, value in found.items()}
            rest = {name: value for name, value in found.items() if name not in ("seconds", "peak_bytes")}
            line = ", ".join(f"{name} {value:,.4g}" for name, value in rest.items())
            seconds, peak = found["seconds"], found["peak_bytes"] / 2**30
            print(f"{job:10}{seconds:8.1f} s{peak:8.2f} GiB at most; {line}", flush=True)
    print(f"peak of loading over what is kept: {figures['load_peak_bytes'] / figures['load_kept_bytes']:.2f}")
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
