"""PPM scores of all nodes of search trees: incrementally, against running each path again from its first token.

    python experiments/benchmarks/scoring.py [--trees FILE …] [--worked GSM8K.json] [--quick] [--json FILE]

Every expansion of a tree is a request for the scores of its children, in the order in which the search made them, many
trees at a time, as in a run. The peer does what the released code does (one padded row a path, all of its tokens),
but better: rows are sorted by length and padded to the next 64 tokens only, compiled before the clock starts. Of many
paths it computes every fifth batch in a repeat, from another one on, so that after five it has scored all. Both give
the same scores.

Trees: searched on the spot with the built-in example's problems and its scripted proposer (short steps), or those of
a run (`--trees RUN_DIR/round2/trees/shard-00000.parquet`); with `--worked` also searched over problems of GSM8K that
take at least `--least-steps` steps, in sentences that people wrote (`worked_solutions`; a JSON list of question,
answer and solution); and trees of random tokens with the lengths of the released data (questions of about 100 tokens,
steps of about 45). The model is a random Qwen2: its scores mean nothing and cost what real ones cost.

Then the cost against depth: milliseconds per new node of 32 tokens behind prefixes of 128 to 4096 tokens, beside what
encoding the whole path costs, as far as that takes no minutes.

Hardware: two CPU cores; about five minutes, with `--worked` about ten more for two trees. Target: 5 times the nodes/s
of the peer.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import pathlib
import statistics
import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import scoring_trees
import tyro
from scoring_trees import Family

from rstar_jax.errors import run_main
from rstar_jax.files import write_json
from rstar_jax.inference.config import EngineConfig
from rstar_jax.inference.engine import PPMEngine
from rstar_jax.inference.layout import over_batch
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, hidden_states, init_params, parameter_count, value_params, values
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import make_mesh

MODEL = ModelConfig(
    vocab_size=8192, d_model=512, n_layers=8, n_heads=8, n_kv_heads=2, head_dim=64, d_ff=1408, rope_theta=1e6
)
SIZES = EngineConfig(max_length=4352, memory_fraction=0.1)
TOKENS = 1024  # of a dispatch of the peer: two cores are as fast with 256, a longer path is one row
PEER_REPEATS, PEER_LONGEST = 3, 1024  # behind longer prefixes it takes minutes
PARTS, LARGE = 5, 500  # of so many paths or more, the peer scores one part in a repeat
PREFIXES = (128, 256, 512, 1024, 2048, 4096)


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    trees: tuple[pathlib.Path, ...] = ()
    worked: pathlib.Path | None = None
    least_steps: int = 8  # of these problems
    quick: bool = False
    json: pathlib.Path | None = None  # also write the figures to this file
    repeats: int = 5
    count: int = 12  # searched trees, or of those that are read


async def incrementally(engine: PPMEngine, trees: Sequence[list[Family]]) -> list[float]:
    async def one(families: list[Family]) -> list[float]:
        return [score for prompt, children in families for score in await engine.score(prompt, children)]

    async with engine:
        return [score for scores in await asyncio.gather(*map(one, trees)) for score in scores]


class WholePaths:
    """The peer: every path from its first token, in padded batches of like length."""

    def __init__(self, params: Params):
        self._params = params
        self._score = jax.jit(functools.partial(_score_rows, MODEL))

    def __call__(self, paths: Sequence[list[int]], batches: Sequence[list[int]]) -> dict[int, float]:
        """Scores by number of the path."""
        scores: dict[int, float] = {}
        for members in batches:
            length = _rounded(len(paths[members[0]]))
            rows = _rows(length)
            tokens, ends = np.zeros((rows, length), np.int32), np.zeros(rows, np.int32)
            for row, index in enumerate(members):
                tokens[row, : len(paths[index])], ends[row] = paths[index], len(paths[index]) - 1
            found = np.asarray(self._score(self._params, tokens, ends))
            scores |= {index: float(found[row]) for row, index in enumerate(members)}
        return scores


def batches(paths: Sequence[list[int]]) -> list[list[int]]:
    """Numbers of paths whose lengths are rounded alike, as many as go in a batch."""
    found: list[list[int]] = []
    for length, alike in itertools.groupby(by_length(paths), key=lambda index: _rounded(len(paths[index]))):
        members, rows = list(alike), _rows(length)
        found += [members[start : start + rows] for start in range(0, len(members), rows)]
    return found


def by_length(paths: Sequence[list[int]]) -> list[int]:
    return sorted(range(len(paths)), key=lambda index: len(paths[index]))


def _rows(length: int) -> int:
    return max(1, TOKENS // length)


def _rounded(length: int) -> int:
    return -(-length // 64) * 64


def _score_rows(config: ModelConfig, params: Params, tokens: jax.Array, ends: jax.Array) -> jax.Array:
    tokens, ends = over_batch((tokens, ends))
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    rows = PackedRows(positions, (positions <= ends[:, None]).astype(jnp.int32))
    hidden = hidden_states(config, params, tokens, rows)
    return values(params, jax.vmap(lambda row, end: row[end])(hidden, ends))


def compare(engine: PPMEngine, params: Params, trees: list[list[Family]], repeats: int) -> dict[str, float]:
    """Nodes per second of both, in turn."""
    peer, paths = WholePaths(params), [p + child for tree in trees for p, children in tree for child in children]
    new = sum(len(child) for tree in trees for _, children in tree for child in children)
    whole = batches(paths)
    peer(paths, list({_rounded(len(paths[members[0]])): members for members in whole}.values()))  # compiles
    parts = PARTS if len(paths) >= LARGE else 1
    ours_s, peer_s, apart, run_before = [], [], 0.0, engine.metrics.scored
    for repeat in range(repeats):
        engine.load(params)  # nothing is known
        start = time.perf_counter()
        ours = asyncio.run(incrementally(engine, trees))
        middle = time.perf_counter()
        theirs = peer(paths, whole[repeat % parts :: parts])
        ours_s.append(middle - start)
        peer_s.append((time.perf_counter() - middle) * len(paths) / len(theirs))
        apart = max(apart, *(abs(ours[index] - score) for index, score in theirs.items()))
    return {
        "nodes": len(paths),
        "tokens_per_path": sum(map(len, paths)) / len(paths),
        "tokens_per_step": new / len(paths),
        "nodes_per_s": len(paths) / statistics.median(ours_s),
        "peer_nodes_per_s": len(paths) / statistics.median(peer_s),
        "ratio": statistics.median(b / a for a, b in zip(ours_s, peer_s, strict=True)),
        "ratio_least": min(b / a for a, b in zip(ours_s, peer_s, strict=True)),
        "ratio_most": max(b / a for a, b in zip(ours_s, peer_s, strict=True)),
        "largest_difference": apart,
        "run_tokens_per_new": (engine.metrics.scored - run_before) / (repeats * new),
    }


def against_depth(engine: PPMEngine, params: Params, prefixes: Sequence[int], repeats: int) -> dict[str, float]:
    """Milliseconds per new node, eight siblings of 32 tokens behind a prefix that is known."""
    peer, rng, figures = WholePaths(params), np.random.default_rng(1), {}
    for prefix in prefixes:
        prompt = rng.integers(0, MODEL.vocab_size, prefix).tolist()
        fresh = [[rng.integers(0, MODEL.vocab_size, 32).tolist() for _ in range(8)] for _ in range(repeats + 1)]
        times = asyncio.run(_behind(engine, prompt, fresh))
        figures[f"ms_per_node_{prefix}"] = 1e3 * statistics.median(times) / 8
        if prefix <= PEER_LONGEST:
            paths = [prompt + child for child in fresh[0]]
            peer(paths, batches(paths))
            whole = [_seconds(lambda paths=paths: peer(paths, batches(paths))) for _ in range(PEER_REPEATS)]
            figures[f"peer_ms_per_node_{prefix}"] = 1e3 * statistics.median(whole) / 8
    return figures


async def _behind(engine: PPMEngine, prompt: list[int], fresh: list[list[list[int]]]) -> list[float]:
    """Seconds for each set of siblings; the first makes the prefix known and does not count."""
    times = []
    async with engine:
        for children in fresh:
            start = time.perf_counter()
            await engine.score(prompt, children)
            times.append(time.perf_counter() - start)
    return times[1:]


def shown(figures: dict[str, float]) -> dict[str, float]:
    for name, value in figures.items():
        print(f"{name:32} {value:14,.6g}", flush=True)
    return figures


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main(options: Options) -> None:
    mesh, quick = make_mesh(), options.quick
    count, repeats = (2, 1) if quick else (options.count, options.repeats)
    if options.trees:
        kinds = {"read": scoring_trees.read(options.trees, count, MODEL.vocab_size)}
    else:
        kinds = {"searched": scoring_trees.searched(count, MODEL.vocab_size)}
    if options.worked:
        kinds["worked"] = scoring_trees.worked(options.worked, count, MODEL.vocab_size, options.least_steps)
    kinds["long"] = scoring_trees.made_up(2, MODEL.vocab_size, question=100, step=45, rollouts=2 if quick else 8)
    with jax.set_mesh(mesh):
        params = value_params(MODEL, jax.jit(lambda: init_params(MODEL, jax.random.key(0)))())
        params["outer"]["value_weight"] = jax.random.normal(jax.random.key(1), (MODEL.d_model,)) / MODEL.d_model**0.5
        engine = PPMEngine(MODEL, params, SIZES, mesh)
        engine.warm_up()
        figures: dict[str, float] = shown({"parameters": parameter_count(params)})
        for kind, trees in kinds.items():
            found = compare(engine, params, trees, repeats)
            figures |= shown({f"{kind}_{name}": value for name, value in found.items()})
        figures |= shown(against_depth(engine, params, PREFIXES[:3] if quick else PREFIXES, max(3, repeats)))
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
