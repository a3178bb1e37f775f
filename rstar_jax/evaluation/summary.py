"""What one run of the method showed, round by round: the data behind every table and plot, as JSON.

Results are kept per problem, not as percentages, so that intervals can be computed afterwards, over problems
and, once runs are merged, over seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rstar_jax.files import AnyPath, read_json, write_json

GraderName = Literal["strict", "released"]
GRADERS: tuple[GraderName, ...] = ("strict", "released")


@dataclasses.dataclass(frozen=True)
class Scores:
    """One way of answering a benchmark; every vector is in the order of `RunSummary.problem_ids`.

    strict, released: 1 or 0 by that grader (fractions for estimates such as pass@N). trajectories: how many the answer
    was chosen from. generated_tokens, scored_tokens, calls of Python, seconds: spent on each problem.
    """

    strict: tuple[float, ...]
    released: tuple[float, ...]
    generated_tokens: tuple[int, ...]
    scored_tokens: tuple[int, ...]
    trajectories: tuple[int, ...]
    calls: tuple[int, ...]
    seconds: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Training problems of one level: how many have a correct trajectory after the round (paper Table 2)."""

    solved: int
    total: int


@dataclasses.dataclass(frozen=True)
class ScalingCurve:
    """Results over the number of trajectories.

    counts: trajectories of the search; other curves spend as many generated tokens as it did for that many.
    unmatched: for each count on how many problems there were too few samples for that.
    """

    name: str
    counts: tuple[int, ...]
    scores: tuple[Scores, ...]
    unmatched: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class RoundSummary:
    """One round; None or empty where something was not run.

    models: who searched (second column of Table 2). coverage: by level. system1: greedy policy (Table 3).
    ppm_fixed_policy:
    this round's PPM with `RunSummary.fixed_policy` (Table 4). system2: this round's policy and PPM (Table 6).
    scaling: test-time scaling curves (Figure 3).
    """

    round: int
    models: str = ""
    coverage: Mapping[str, Coverage] | None = None
    system1: Scores | None = None
    system2: Scores | None = None
    ppm_fixed_policy: Scores | None = None
    scaling: tuple[ScalingCurve, ...] = ()


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """One run. `levels[p]` belongs to `problem_ids[p]`; `references`: other System 1 rows (base model, …)."""

    name: str
    seed: int
    benchmark: str
    problem_ids: tuple[str, ...]
    levels: tuple[str, ...]
    rounds: tuple[RoundSummary, ...]
    references: Mapping[str, Scores] = dataclasses.field(default_factory=dict)
    fixed_policy: str = "SLM-r1"

    def __post_init__(self):
        if len(self.levels) != len(self.problem_ids) or len(set(self.problem_ids)) != len(self.problem_ids):
            raise ValueError("problem ids must be distinct and have one level each")
        for scores in _all_scores(self):
            for field in dataclasses.fields(scores):
                if len(getattr(scores, field.name)) != len(self.problem_ids):
                    raise ValueError(f"{field.name} needs one value for each of the problems")

    def round(self, number: int) -> RoundSummary:
        """The summary of that round, an empty one if it was not run."""
        return next((r for r in self.rounds if r.round == number), RoundSummary(number))


@dataclasses.dataclass(frozen=True)
class Runs:
    """Runs of the same experiment that differ in their seed."""

    runs: tuple[RunSummary, ...]

    @property
    def crossed(self) -> bool:
        """Whether all runs were evaluated on the same problems, so that these pair up."""
        return len({(run.problem_ids, run.levels) for run in self.runs}) == 1

    @property
    def rounds(self) -> tuple[int, ...]:
        """Round numbers: the method's four, and whatever else was run."""
        return tuple(sorted({1, 2, 3, 4} | {r.round for run in self.runs for r in run.rounds}))

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for run in self.runs for name in run.references))


def merge(summaries: Sequence[RunSummary]) -> Runs:
    """Put runs of several seeds together.

    Raises:
        ValueError: if there are none, seeds repeat, or benchmark or fixed policy differ.
    """
    if not summaries:
        raise ValueError("nothing to merge")
    if len({s.seed for s in summaries}) != len(summaries):
        raise ValueError(f"seeds repeat: {[s.seed for s in summaries]}")
    if len({(s.benchmark, s.fixed_policy) for s in summaries}) != 1:
        raise ValueError("runs differ in benchmark or in the fixed policy of the PPM comparison")
    return Runs(tuple(sorted(summaries, key=lambda s: s.seed)))


def write_summary(path: AnyPath, summary: RunSummary) -> None:
    write_json(path, dataclasses.asdict(summary))


def read_summary(path: AnyPath) -> RunSummary:
    """The inverse of `write_summary`. Raises InputError for what is not JSON, TypeError for other fields."""
    return from_json(read_json(path))


def from_json(value: Mapping[str, Any]) -> RunSummary:
    fields = dict(value)
    fields["problem_ids"] = tuple(fields["problem_ids"])
    fields["levels"] = tuple(fields["levels"])
    fields["rounds"] = tuple(_round(r) for r in fields["rounds"])
    fields["references"] = {name: _scores(s) for name, s in fields["references"].items()}
    return RunSummary(**fields)


def _round(value: Mapping[str, Any]) -> RoundSummary:
    fields = dict(value)
    if fields["coverage"] is not None:
        fields["coverage"] = {level: Coverage(**c) for level, c in fields["coverage"].items()}
    for name in ("system1", "system2", "ppm_fixed_policy"):
        fields[name] = None if fields[name] is None else _scores(fields[name])
    fields["scaling"] = tuple(_curve(c) for c in fields["scaling"])
    return RoundSummary(**fields)


def _curve(value: Mapping[str, Any]) -> ScalingCurve:
    scores = tuple(_scores(s) for s in value["scores"])
    return ScalingCurve(value["name"], tuple(value["counts"]), scores, tuple(value["unmatched"]))


def _scores(value: Mapping[str, Any]) -> Scores:
    return Scores(**{name: tuple(vector) for name, vector in value.items()})


def _all_scores(summary: RunSummary) -> list[Scores]:
    found = list(summary.references.values())
    for r in summary.rounds:
        found += [s for s in (r.system1, r.system2, r.ppm_fixed_policy) if s is not None]
        found += [s for curve in r.scaling for s in curve.scores]
    return found
