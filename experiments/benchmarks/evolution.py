"""Does the method work? The claims of the built-in example over several seeds, each with an interval.

    python experiments/benchmarks/evolution.py [--seeds 0 1 2] [--quick] [--json FILE]

Runs `evolve.py --config cpu` for every seed that is not finished (about a quarter of an hour each on two cores);
`--quick` only reads the runs that are. A claim holds if its whole interval is above its bound.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np

from rstar_jax.errors import InputError, run_main
from rstar_jax.evaluation.intervals import Interval, bootstrap_seed_counts, bootstrap_seeds
from rstar_jax.evaluation.report import print_report
from rstar_jax.evaluation.summary import RoundSummary, RunSummary, Scores, merge, read_summary
from rstar_jax.files import write_json

ROOT = pathlib.Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A difference that should exceed a bound, both as shares."""

    name: str
    difference: Interval
    bound: float

    @property
    def verdict(self) -> str:
        if self.difference.low > self.bound:
            return "holds"
        return "open" if self.difference.high > self.bound else "does not hold"


def claims(runs: Sequence[RunSummary]) -> list[Claim]:
    """The claims of issue 2, as far as the runs have the data."""
    found = [Claim(f"coverage of round {k + 1} over round {k}", _coverage_gain(runs, k, k + 1), 0.0) for k in (1, 2, 3)]
    found.append(Claim("coverage of round 4 over round 1, at least 25 points", _coverage_gain(runs, 1, 4), 0.25))
    found.append(Claim("greedy: round 1 over base", _gain(runs, lambda r: r.references["base"], _greedy(1)), 0.0))
    found += [
        Claim(f"greedy: round {k + 1} over round {k}", _gain(runs, _greedy(k), _greedy(k + 1)), 0.0) for k in (1, 2, 3)
    ]
    found.append(Claim("greedy: round 4 over round 1", _gain(runs, _greedy(1), _greedy(4)), 0.0))
    found += [
        Claim(f"System 2 over greedy in round {k}", _gain(runs, _greedy(k), _system2(k)), 0.05 if k == 4 else 0.0)
        for k in (2, 3, 4)
    ]
    found.append(Claim("PPM-r4 over PPM-r1, policy fixed", _gain(runs, _fixed(1), _fixed(4)), 0.0))
    against_majority = _gain(runs, _curve("majority"), _curve("search"))
    found.append(Claim("search over majority at equal tokens, round 4", against_majority, 0.0))
    return found


def _scores(run: RunSummary, number: int, field: str) -> Scores:
    scores = getattr(run.round(number), field)
    if scores is None:
        raise InputError(f"seed {run.seed}: round {number} has no {field}")
    return scores


def _greedy(number: int) -> Callable[[RunSummary], Scores]:
    return lambda run: _scores(run, number, "system1")


def _system2(number: int) -> Callable[[RunSummary], Scores]:
    return lambda run: _scores(run, number, "system2")


def _fixed(number: int) -> Callable[[RunSummary], Scores]:
    return lambda run: _scores(run, number, "ppm_fixed_policy")


def _curve(name: str) -> Callable[[RunSummary], Scores]:
    """The last point of the test-time scaling curve whose name holds the word."""
    return lambda run: next(curve.scores[-1] for curve in run.round(4).scaling if name in curve.name)


def _gain(runs: Sequence[RunSummary], first: Callable, second: Callable) -> Interval:
    values = [np.subtract(second(run).strict, first(run).strict).tolist() for run in runs]
    return bootstrap_seeds(values, crossed=False)


def _coverage_gain(runs: Sequence[RunSummary], first: int, second: int) -> Interval:
    """Coverage is known as counts, so the two rounds are resampled independently: a cautious interval."""
    before, after = (bootstrap_seed_counts([_covered(run.round(k)) for run in runs]) for k in (first, second))
    half = float(np.hypot(after.high - after.low, before.high - before.low)) / 2
    estimate = after.estimate - before.estimate
    return Interval(estimate, estimate - half, estimate + half, "half widths of two bootstraps, in quadrature")


def _covered(round: RoundSummary) -> tuple[int, int]:
    levels = (round.coverage or {}).values()
    return sum(level.solved for level in levels), sum(level.total for level in levels)


def finished_runs(seeds: Sequence[int], start: bool) -> list[RunSummary]:
    """Summaries of the seeds' runs; starts what is missing if allowed."""
    found = []
    for seed in seeds:
        path = ROOT / "runs" / f"cpu-s{seed}" / "report" / "summary.json"
        if not path.exists() and start:
            subprocess.run([sys.executable, ROOT / "experiments" / "evolve.py", "--seed", str(seed)], check=True)
        if path.exists():
            found.append(read_summary(path))
    if not found:
        raise InputError("no run of the built-in example is finished; start without --quick")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    flags = parser.parse_args()
    runs = finished_runs(flags.seeds, start=not flags.quick)
    print_report(merge(runs))
    results = claims(runs)
    width = max(len(claim.name) for claim in results)
    seeds = ", ".join(str(run.seed) for run in runs)
    print(f"Claims, seeds {seeds} (strict grader, 95 % bootstrap over seeds and problems)")
    for claim in results:
        d = claim.difference
        print(f"  {claim.name:{width}}  {d.estimate:+.1%} [{d.low:+.1%}, {d.high:+.1%}]  {claim.verdict}")
    if flags.json:
        figures = {claim.name: claim.difference.estimate for claim in results}
        write_json(flags.json, figures | {"seeds": len(runs)})


if __name__ == "__main__":
    run_main(main)
