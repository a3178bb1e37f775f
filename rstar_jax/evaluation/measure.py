"""From summaries of runs to single numbers with intervals: the cells of tables and the points of plots.

One run gives an interval over problems, several give one over seeds × problems. Where all results of several
runs are alike (all right, all wrong) the bootstrap would be empty and claim certainty; there the problems of
one run give a Wilson interval. None means that something was not run: in no seed, or not in all of them,
since a mean over some of the seeds would look like one over all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from rstar_jax.evaluation.intervals import (
    Interval,
    bootstrap,
    bootstrap_seed_counts,
    bootstrap_seeds,
    mcnemar,
    paired_bootstrap,
    wilson,
)
from rstar_jax.evaluation.summary import Coverage, GraderName, Runs, RunSummary, Scores

ALL = "All"
Pick = Callable[[RunSummary], Scores | None]


def of_round(number: int, field: str) -> Pick:
    """Picks "system1", "system2" or "ppm_fixed_policy" of a round."""
    return lambda run: getattr(run.round(number), field)


def of_curve(number: int, name: str, n: int) -> Pick:
    """Picks the result of a round's scaling curve at n trajectories."""

    def pick(run: RunSummary) -> Scores | None:
        curve = next((c for c in run.round(number).scaling if c.name == name), None)
        return curve.scores[curve.counts.index(n)] if curve and n in curve.counts else None

    return pick


def accuracy(runs: Runs, pick: Pick, grader: GraderName, level: str = ALL) -> Interval | None:
    """Share of the level's problems answered right: Wilson for one run, bootstrap for fractions and seeds."""
    vectors = _vectors(runs, pick, grader, level)
    return None if vectors is None else of_vectors(vectors, runs.crossed)


def of_vectors(vectors: Sequence[Sequence[float]], crossed: bool) -> Interval:
    """The mean of results `vectors[seed][problem]`. crossed: all seeds saw the same problems."""
    if len(vectors) == 1:
        return share(vectors[0])
    if not {value for vector in vectors for value in vector} <= {0.0, 1.0}:
        return bootstrap_seeds(vectors, crossed=crossed)
    counts = [(int(sum(vector)), len(vector)) for vector in vectors]
    return _one_proportion(counts) or bootstrap_seeds(vectors, crossed=crossed)


def share(values: Sequence[float]) -> Interval:
    """The mean over the problems of one run: Wilson for right and wrong, bootstrap for fractions."""
    if not set(values) <= {0.0, 1.0}:
        return bootstrap(values)
    return wilson(int(sum(values)), len(values))


def difference(
    runs: Runs, first: Pick, second: Pick, grader: GraderName, level: str = ALL
) -> Interval | None:
    """Accuracy of `first` minus accuracy of `second`, paired by problem."""
    a, b = _vectors(runs, first, grader, level), _vectors(runs, second, grader, level)
    if a is None or b is None:
        return None
    return gap_of_vectors(a, b, runs.crossed)


def gap_of_vectors(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], crossed: bool
) -> Interval:
    """Mean of the first minus mean of the second, `[seed][problem]` both, in pairs."""
    if len(first) == 1:
        return paired_bootstrap(first[0], second[0])
    pairs = [[x - y for x, y in zip(u, v, strict=True)] for u, v in zip(first, second, strict=True)]
    return bootstrap_seeds(pairs, crossed=crossed)


def mcnemar_p(runs: Runs, first: Pick, second: Pick, grader: GraderName, level: str = ALL) -> float | None:
    """Exact McNemar p-value; None for several seeds too: a problem seen twice is no independent pair."""
    a, b = _vectors(runs, first, grader, level), _vectors(runs, second, grader, level)
    return None if a is None or b is None or len(a) > 1 else mcnemar_of(a[0], b[0])


def mcnemar_of(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Exact p-value for results of the same problems; None for fractions."""
    if not {*first, *second} <= {0.0, 1.0}:
        return None
    return mcnemar([x == 1 for x in first], [x == 1 for x in second]).p_value


def coverage(runs: Runs, number: int, level: str = ALL) -> Interval | None:
    """Share of training problems solved after a round (paper Table 2)."""
    counts = [_solved(run.round(number).coverage, level) for run in runs.runs]
    pairs = [(count.solved, count.total) for count in counts if count is not None and count.total]
    if len(pairs) < len(counts):
        return None
    return of_counts(pairs)


def of_counts(counts: Sequence[tuple[int, int]]) -> Interval:
    """A share known as (successes, total) of every seed."""
    return _one_proportion(counts) or bootstrap_seed_counts(counts)


def tokens_per_trajectory(runs: Runs, pick: Pick, level: str = ALL) -> float | None:
    """Generated tokens over trajectories, of all problems of the level and all seeds (paper Table 9)."""
    tokens = trajectories = 0
    for run in runs.runs:
        scores = pick(run)
        if scores is None:
            return None
        for p in _members(run, level):
            tokens += scores.generated_tokens[p]
            trajectories += scores.trajectories[p]
    return tokens / trajectories if trajectories else None


def tokens_per_problem(runs: Runs, pick: Pick, level: str = ALL) -> float | None:
    """Generated tokens over problems, of all seeds."""
    tokens = problems = 0
    for run in runs.runs:
        scores = pick(run)
        if scores is None:
            return None
        members = _members(run, level)
        tokens += sum(scores.generated_tokens[p] for p in members)
        problems += len(members)
    return tokens / problems if problems else None


def size(runs: Runs, level: str = ALL) -> str:
    """Number of problems, as text; of each seed if they differ."""
    return "/".join(dict.fromkeys(str(len(_members(run, level))) for run in runs.runs))


def _one_proportion(counts: Sequence[tuple[int, int]]) -> Interval | None:
    """Wilson for one run, and for the first of several that are all right or all wrong; else None."""
    if len(counts) == 1:
        return wilson(*counts[0])
    if sum(hits for hits, _ in counts) not in (0, sum(total for _, total in counts)):
        return None
    interval = wilson(*counts[0])
    return dataclasses.replace(interval, kind=f"{interval.kind} of one seed where all results agree")


def _vectors(runs: Runs, pick: Pick, grader: GraderName, level: str) -> list[Sequence[float]] | None:
    vectors = []
    for run in runs.runs:
        scores, members = pick(run), _members(run, level)
        if scores is None or not members:
            return None
        values = getattr(scores, grader)
        vectors.append([float(values[p]) for p in members])
    return vectors


def _members(run: RunSummary, level: str) -> list[int]:
    return [p for p, own in enumerate(run.levels) if level in (ALL, own)]


def _solved(by_level: Mapping[str, Coverage] | None, level: str) -> Coverage | None:
    if by_level is None:
        return None
    if level != ALL:
        return by_level.get(level)
    return Coverage(sum(c.solved for c in by_level.values()), sum(c.total for c in by_level.values()))
