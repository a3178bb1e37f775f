"""747,000 problems in a run directory, without a model: what it costs to start, to look, and to take one shard.

    python experiments/benchmarks/scale.py [--quick] [--json FILE] [--folder FOLDER]

The run directory is real, only its trees are made up: a problems file, the config of `presets.paper`, and a search of
round 1 that is nearly over, with the files of all shards but the last eight; two of those are under way, with files of
150 problems each. Then, each in a process of its own, by the functions that a run calls:

    start    a search on one host, up to the first problem that it would grow trees for: problems, shards, who is left
    cluster  the same on a Ray cluster, up to its first actor
    status   `python -m rstar_jax.evolution.status`
    stage    which stage comes next
    shard    one that is under way: take it over, write the trees that it lacks, put its file together

Seconds are on the clock after the imports, MiB the peak of the process with them. Making everything takes about
ten minutes and 900 MB; in a --folder it stays, and a second start finds it.

Hardware: one CPU core and a local disk. Targets: start under 60 s, and under 2 GB everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, cast
from unittest import mock

import pyarrow as pa
import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.evolution import presets
from rstar_jax.evolution.machine import next_stage
from rstar_jax.evolution.problem_set import load_problems
from rstar_jax.evolution.run_dir import RunDir, claim
from rstar_jax.evolution.search_stage import shards_of
from rstar_jax.evolution.status import read_status
from rstar_jax.files import write_json
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import LEVELS, Problem
from rstar_jax.search import cluster, runner, shards, store
from rstar_jax.search.shards import Shard
from rstar_jax.search.tree import ROOT, NewNode, Tree, backup, expand, new_tree

Part = Literal["make", "start", "cluster", "status", "stage", "shard"]
CONFIG = presets.paper("scale", "none")
ROUND = CONFIG.rounds[0]
MISSING, UNDER_WAY, PARTS = 8, 2, 150  # shards without a file; those with parts; problems finished in each of these


@dataclasses.dataclass(frozen=True)
class Options:
    """folder: of the run; by default a temporary one. part: only this one, in this process."""

    quick: bool = False
    json: pathlib.Path | None = None
    folder: pathlib.Path | None = None
    problems: int = 747_000
    part: Part | None = None


# --- Making it ----------------------------------------------------------------------------------------


def make(run: RunDir, count: int) -> None:
    """The run directory, if it is not there."""
    if not run.config.exists():
        write_problems(run.problems / "train.jsonl", made_problems(count))
        write_problems(run.problems / "test.jsonl", made_problems(500, "test"))
        claim(run, CONFIG)
    todo = all_shards(run)
    for shard in todo[-MISSING:]:  # a measurement may have finished one
        shard.file.unlink(missing_ok=True)
    rows = pa.concat_tables(store.to_table(made_tree(problem)) for problem in todo[0].problems)
    for shard in todo[:-MISSING]:
        if not shard.file.exists():
            store.write_tables(shard.file, [renamed(rows, shard.problems)])
    for shard in todo[-MISSING:][:UNDER_WAY]:
        grow(shard, shard.problems[:PARTS])


def made_problems(count: int, name: str = "train") -> Iterator[Problem]:
    """Questions of 100 to 400 characters."""
    dice = random.Random(name)
    words = ("train", "leaves", "how", "many", "of", "the", "remaining", "apples", "triangle", "sum", "when", "each")
    for number in range(count):
        text = f"({name} {number}) " + " ".join(dice.choices(words, k=80))
        question = text[: dice.randint(100, 400)].strip()
        yield Problem(f"{name}/{number:06d}", question, str(dice.randint(0, 999)), dice.choice(LEVELS), "made up")


def made_tree(problem: Problem) -> Tree:
    """Eight rollouts: code steps of a hundred characters, and answers, of which some are right."""
    dice, tree = random.Random(problem.id), new_tree(problem, ROUND.search)
    for rollout in range(ROUND.search.rollouts):
        node = ROOT
        for depth in range(3):
            text = f"<code>\n# Step {depth}: {problem.question[:60]}\nx{depth} = {dice.random()}\n<end_of_step>"
            node = expand(tree, node, [NewNode(text, "step", n_tokens=dice.randint(20, 80)) for _ in range(4)])[0]
        (leaf,) = expand(tree, node, [NewNode(f"<answer>\\boxed{{{rollout}}}<end_of_answer>", "answer", str(rollout))])
        tree.correct[leaf] = dice.random() < 0.2
        backup(tree, leaf, 1.0 if tree.correct[leaf] else -1.0)
    tree.rollouts, tree.tokens = ROUND.search.rollouts, sum(tree.n_tokens)
    return tree


def renamed(rows: pa.Table, problems: Sequence[Problem]) -> pa.Table:
    """The trees of other problems."""
    rows = rows.slice(0, len(problems))
    for name in ("id", "question", "answer", "level", "source"):
        values = pa.array([getattr(problem, name) for problem in problems], pa.string())
        rows = rows.set_column(rows.column_names.index(name), name, values)
    return rows


def grow(shard: Shard, problems: Sequence[Problem]) -> None:
    for problem in problems:
        store.write_trees(shard.part(problem), [made_tree(problem)])


# --- What is measured ---------------------------------------------------------------------------------


class Begun(Exception):
    """The search would grow its first tree now, or start its first actor."""


def problems_of(run: RunDir) -> list[Problem]:
    claim(run, CONFIG)
    return load_problems(run, CONFIG.problems, CONFIG.seed)[0]


def all_shards(run: RunDir) -> list[Shard]:
    return shards_of(CONFIG, run, problems_of(run), ROUND)


def start(run: RunDir) -> dict[str, float]:
    begun, moments = time.perf_counter(), []

    async def grow(problem: Problem) -> Sequence[Tree]:
        moments.append(time.perf_counter())
        raise Begun

    problems = problems_of(run)
    read = time.perf_counter()
    try:
        asyncio.run(runner.run(shards.survey(shards_of(CONFIG, run, problems, ROUND)), grow, concurrency=1))
    except* Begun:
        pass
    return {"seconds": moments[0] - begun, "read_seconds": read - begun}


def start_cluster(run: RunDir) -> dict[str, float]:
    begun = time.perf_counter()
    found = all_shards(run)
    ready, nothing = time.perf_counter(), cast(Any, contextlib.nullcontext)
    with contextlib.suppress(Begun), mock.patch.object(cluster, "import_ray", side_effect=Begun):
        cluster.search(shards.survey(found), nothing, cluster.ClusterConfig(1, {}))
    return {"seconds": time.perf_counter() - begun, "survey_seconds": time.perf_counter() - ready}


def look(run: RunDir) -> dict[str, float]:
    begun = time.perf_counter()
    search = read_status(run.root).rounds[0].search
    return {"seconds": time.perf_counter() - begun, "done": search.done, "total": search.total}


def stage(run: RunDir) -> dict[str, float]:
    begun = time.perf_counter()
    following = next_stage(CONFIG, run)
    assert str(following) == "search of round 1", following
    return {"seconds": time.perf_counter() - begun}


def one_shard(run: RunDir) -> dict[str, float]:
    shard = all_shards(run)[-MISSING]
    times = [time.perf_counter()]
    done = shards.resume(shard)
    times.append(time.perf_counter())
    grow(shard, [problem for problem in shard.problems if problem.id not in done])
    times.append(time.perf_counter())
    shards.commit(shard)
    times.append(time.perf_counter())
    assert len(done) == PARTS, len(done)
    assert not shards.survey([shard]).missing
    names = ("resume_seconds", "write_seconds", "commit_seconds")
    return {"seconds": times[-1] - times[0]} | {
        name: after - before for name, before, after in zip(names, times, times[1:], strict=False)
    }


PARTS_OF: dict[Part, Callable[[RunDir], dict[str, float]]] = {
    "start": start, "cluster": start_cluster, "status": look, "stage": stage, "shard": one_shard,
}  # fmt: skip


def measure(part: Part, run: RunDir, count: int) -> dict[str, float]:
    """In this process."""
    if part == "make":
        begun = time.perf_counter()
        make(run, count)
        found = {"seconds": time.perf_counter() - begun}
    else:
        found = PARTS_OF[part](run)
    return found | {"mib": peak_mib()}


def peak_mib() -> float:
    """Of this program alone; `ru_maxrss` counts what started it too."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1024


def in_a_process(part: Part, folder: pathlib.Path, count: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), "--problems", str(count)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{part} failed: {ran.stderr[-3000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def row(part: Part, found: dict[str, float]) -> str:
    more = (f"{name.replace('_', ' ')} {value:,.6g}" for name, value in found.items() if name not in ("seconds", "mib"))
    return f"{part:10}{found['seconds']:10.2f}{found['mib']:8,.0f}  {', '.join(more)}"


def main(options: Options) -> None:
    if options.part is not None and options.folder is not None:
        print(json.dumps(measure(options.part, RunDir(options.folder), options.problems)))
        return
    count = min(options.problems, 25_600) if options.quick else options.problems
    n_shards = -(-count // CONFIG.shard_problems)
    if n_shards <= MISSING:
        raise InputError(f"{count} problems are too few: {MISSING} shards of {CONFIG.shard_problems} are left over")
    figures: dict[str, float] = {"problems": count, "shards": n_shards, "parts": UNDER_WAY * PARTS}
    print(f"{count:,} problems in {n_shards:,} shards, {n_shards - MISSING:,} with a file; {UNDER_WAY * PARTS} parts")
    print(f"{'':10}{'seconds':>10}{'MiB':>8}")
    with tempfile.TemporaryDirectory() as temporary:
        for part in ("make", *PARTS_OF):
            found = in_a_process(part, options.folder or pathlib.Path(temporary), count)
            print(row(part, found), flush=True)
            figures |= {f"{part}_{name}": value for name, value in found.items()}
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
