"""A round's search of 747,000 problems on paper: hours, use and losses on 1 to 256 hosts that may be lost.

    python experiments/benchmarks/cluster_simulation.py [--quick] [--json FILE] [--trees FOLDER]

Nothing is searched. The hosts of `cluster_events` hand out, begin, lose and resume shards by the rules of
`search/cluster.py` (one queue), and for comparison by those of `run_stage.py --shard i/n` (fixed shares). Printed are
medians over seeds, which draw the work of the problems, the losses and the stragglers:

    at best   hours if all hosts had the full rate from the start to the end
    hours     until the last problem is finished
    used      of the time of the hosts that were there: what went into kept trees, at the rate that each can reach
    lost      of the generated tokens: problems under way on a host that was lost
    tries     of the shard that took the most; `ClusterConfig.attempts` gives a shard up after 5

Tokens per problem are drawn from the shard files in --trees, or from those of nine recorded trees. Everything else is
an assumption, and a flag. On the less obvious ones:

  mean_tokens  The recorded trees are of toy problems, so they lend their shape only, scaled to this mean. None: trees
               of a folder stay as they are, recorded ones get 13,000. The largest three have 202 candidates on
               average, of 16 rollouts with 6 candidates, so about 270 with the 8 of the paper's rounds 2 and 3; a step
               of the SFT samples that the authors released has 50 tokens. (The paper's Table 9 has 3,300 to 15,700
               tokens for a trajectory, with other settings.)
  rate         An ESTIMATE for Qwen2.5-Math-7B on four v5e chips, where no model has run: 256 rows decode 12,100 to
               19,000 tokens/s in the bounds that the compiled program has (`launch/compile_for_topology.py --topology
               v5e:2x2 --model qwen2.5-math-7b --job decode --tensor 4 --rows 256 --pages 2048`); a third of the lower
               one is left for prefixes, the PPM on the same chips, the executor, and whatever keeps an engine below its
               bounds.
  saturation   256 rows are 32 problems that draw 8 candidates each; as many again wait for the executor or the PPM.
  concurrency  That of the presets in `evolution/presets.py`.

Hardware: one CPU core, about two minutes. No target: to be compared with runs on hardware.
"""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.parquet as pq
import tyro
from cluster_events import Hosts, Outcome, simulate

from rstar_jax.errors import InputError, run_main
from rstar_jax.files import write_json
from rstar_jax.search.shards import SHARD_PROBLEMS, shard_files

# Tokens of all candidates with their stop strings (`expansions`) in nine trees that the authors' released search grew
# with tables in place of models, counted with Qwen2's tokenizer. In this order: test_time_0, ppm_augmented_0,
# terminal_guided_0; ppm_augmented_4, test_time_4, terminal_guided_4; terminal_guided_8, ppm_augmented_8, test_time_8
# (4 rollouts with 3 candidates, 8 with 4, 16 with 6).
RECORDED = (339, 400, 566, 794, 1122, 1211, 3934, 4542, 5662)
MEAN_TOKENS = 13_000.0
POLICIES = {"queue": False, "shares": True}


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options; those of a host are explained at `Hosts`."""

    quick: bool = False
    json: pathlib.Path | None = None  # also write the figures to this file
    trees: pathlib.Path | None = None  # of a search: its folder of shard files
    mean_tokens: float | None = None
    problems: int = 747_000
    shard_problems: int = SHARD_PROBLEMS
    hosts: tuple[int, ...] = (1, 4, 16, 64, 256)
    seeds: int = 5
    rate: float = 4000.0
    saturation: int = 64
    concurrency: int = 256
    hours_between_losses: float = 24.0
    minutes_away: float = 20.0
    minutes_to_start: float = 5.0
    stragglers: float = 0.05

    def __post_init__(self) -> None:
        counts = (self.problems, self.shard_problems, self.seeds, self.saturation, self.concurrency, *self.hosts)
        positive = (self.rate, self.hours_between_losses, 1.0 if self.mean_tokens is None else self.mean_tokens)
        if min(counts) < 1 or min(positive) <= 0:
            raise InputError("counts have to be at least 1; rates, tokens and the hours between losses more than 0")
        if min(self.minutes_away, self.minutes_to_start) < 0 or not 0 <= self.stragglers <= 1:
            raise InputError("minutes cannot be negative, and stragglers are a share from 0 to 1")


def tokens_of(folder: pathlib.Path) -> np.ndarray:
    """Tokens that each problem of a search took, in all of its trees."""
    files = shard_files(folder)
    if not files:
        raise InputError(f"{folder}: no shard files there")
    tables = (pq.read_table(file, columns=["id", "tokens"]) for file in files)
    sums = (table.group_by("id").aggregate([("tokens", "sum")])["tokens_sum"].to_numpy() for table in tables)
    return np.concatenate([*sums]).astype(float)


def work_of(options: Options) -> np.ndarray:
    """The table that the problems' tokens are drawn from."""
    table = np.array(RECORDED, float) if options.trees is None else tokens_of(options.trees)
    default = MEAN_TOKENS if options.trees is None else table.mean()
    return table * ((options.mean_tokens or default) / table.mean())


def outcomes(options: Options, table: np.ndarray, count: int, shares: bool) -> Iterator[Outcome]:
    """Of each seed; both policies and all numbers of hosts search the same problems."""
    fields = {field.name for field in dataclasses.fields(Hosts)} - {"count"}
    hosts = Hosts(count, **{name: getattr(options, name) for name in fields})
    for seed in range(options.seeds):
        tokens = np.random.default_rng(seed).choice(table, options.problems).tolist()
        yield simulate(tokens, hosts, seed, shares=shares, shard_problems=options.shard_problems)


def medians(found: Sequence[Outcome]) -> dict[str, float]:
    names = ("hours", "used", "lost", "losses", "attempts")
    return {name: float(statistics.median(getattr(one, name) for one in found)) for name in names}


def preamble(options: Options, table: np.ndarray) -> str:
    """What the table below it rests on."""
    shape = f"{len(RECORDED)} recorded trees" if options.trees is None else f"{len(table):,} searched problems"
    mean = "assumed " if options.trees is None or options.mean_tokens is not None else "measured"
    lines = [
        f"Nothing has run: {options.problems:,} problems in shards of {options.shard_problems}, simulated with"
        f" {options.seeds} seeds (medians).",
        f"measured  how tokens per problem are spread, on {shape}",
        f"{mean}  their mean, {table.mean():,.0f}",
        f"assumed   a host generates {options.rate:,.0f} tokens/s with {options.saturation} problems or more under way;"
        f" it has up to {options.concurrency}",
        f"assumed   a host is lost every {options.hours_between_losses:g} h, another one comes after"
        f" {options.minutes_away:g} min, its engine starts in {options.minutes_to_start:g} min",
        f"assumed   {options.stragglers:.0%} of the hosts have half the rate",
        "",
        f"{'':15}{'one queue':>36}{'fixed shares':>31}",
        f"{'hosts':>5}{'at best':>10}{'hours':>12}{'used':>9}{'lost':>8}{'tries':>7}{'hours':>14}{'used':>9}{'lost':>8}"
        "   times the hours",
    ]
    return "\n".join(lines)


def row(count: int, best: float, queue: dict[str, float], shares: dict[str, float]) -> str:
    first, second = (f"{one['hours']:12,.2f}{one['used']:9.1%}{one['lost']:8.2%}" for one in (queue, shares))
    return f"{count:5}{best:10,.2f}{first}{queue['attempts']:7.0f}  {second}{shares['hours'] / queue['hours']:18.2f}"


def main(options: Options) -> None:
    if options.quick:
        options = dataclasses.replace(options, problems=min(options.problems, 150_000), seeds=min(options.seeds, 2))
    table = work_of(options)
    mean = float(table.mean())
    print(preamble(options, table))
    figures: dict[str, float] = {"problems": options.problems, "seeds": options.seeds, "mean_tokens": mean}
    for count in options.hosts:
        best = options.problems * mean / (count * options.rate * 3600)
        found = {name: medians([*outcomes(options, table, count, shares)]) for name, shares in POLICIES.items()}
        print(row(count, best, **found), flush=True)
        figures |= {f"{count}_{name}_{key}": value for name, one in found.items() for key, value in one.items()}
        figures[f"{count}_best_hours"] = best
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
