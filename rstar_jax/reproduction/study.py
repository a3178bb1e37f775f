"""Finished evaluations of one or several seeds: accuracies, differences and costs, with intervals.

Nothing is run here: what is missing is None, and a table says "not run".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from rstar_jax.evaluation import measure
from rstar_jax.evaluation.aggregate import EvaluationResult
from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.summary import Coverage, GraderName
from rstar_jax.problems.problem import Problem
from rstar_jax.reproduction.evaluations import Evaluation
from rstar_jax.reproduction.plan import ALL, Column, StudyPlan
from rstar_jax.reproduction.ways import Answered, Way, answers


@dataclasses.dataclass(frozen=True)
class Cost:
    """Means over problems: tokens that the policy generated, tokens that reward models scored, calls of Python, and
    seconds from the first to the last of a problem, beside others."""

    generated: float
    scored: float
    calls: float
    seconds: float


@dataclasses.dataclass
class SeedResults:
    """What one seed has: `found[run, benchmark, evaluation]`, and the problems of each benchmark.

    coverage: solved training problems by round and level (Table 2).
    """

    seed: int
    problems: Mapping[str, Sequence[Problem]]
    found: Mapping[tuple[str, str, Evaluation], EvaluationResult]
    coverage: Mapping[int, Mapping[str, Coverage]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Difference:
    """gap: in pairs, with its interval. p_value: exact McNemar, two-sided, where one seed was run."""

    gap: Interval
    p_value: float | None

    @property
    def is_clear(self) -> bool:
        """Whether it is marked: p below 0.05, or with several seeds an interval without 0."""
        if self.p_value is not None:
            return self.p_value < 0.05
        return not self.gap.low <= 0.0 <= self.gap.high


@dataclasses.dataclass
class Study:
    """Several seeds of one plan; what was asked once is remembered."""

    plan: StudyPlan
    seeds: Sequence[SeedResults]
    _answers: dict[tuple[Way, int, str], Answered | None] = dataclasses.field(default_factory=dict, repr=False)

    def accuracy(self, way: Way, column: Column, grader: GraderName) -> Interval | None:
        """Share of a column's problems that are answered rightly."""
        vectors = self._vectors(way, column, grader)
        return None if vectors is None else measure.of_vectors(vectors, self._crossed(column))

    def difference(self, first: Way, second: Way, column: Column, grader: GraderName) -> Difference | None:
        """Accuracy of the first minus that of the second, in pairs."""
        a, b = self._vectors(first, column, grader), self._vectors(second, column, grader)
        if a is None or b is None:
            return None
        gap = measure.gap_of_vectors(a, b, self._crossed(column))
        p_value = measure.mcnemar_of(a[0], b[0]) if len(a) == 1 else None
        return Difference(gap, p_value)

    def cost(self, way: Way, columns: Sequence[Column]) -> Cost | None:
        """Over all problems of these columns, each once; None where any of them was not run."""
        totals, problems = [0.0] * 4, 0
        for seed in self.seeds:
            for benchmark in dict.fromkeys(column.benchmark for column in columns):
                found = self._answered(way, seed, benchmark)
                if found is None:
                    return None
                scores = found.scores
                for place, values in enumerate(
                    (scores.generated_tokens, scores.scored_tokens, scores.calls, scores.seconds)
                ):
                    totals[place] += sum(values)
                problems += len(scores.strict)
        return Cost(*(total / problems for total in totals)) if problems else None

    def tokens_per_trajectory(self, way: Way, column: Column) -> float | None:
        """Generated tokens over trajectories of a column's problems (Table 9)."""
        tokens = trajectories = 0
        for seed in self.seeds:
            found = self._answered(way, seed, column.benchmark)
            if found is None:
                return None
            for place in self._members(seed, column):
                tokens += found.scores.generated_tokens[place]
                trajectories += found.scores.trajectories[place]
        return tokens / trajectories if trajectories else None

    def short(self, way: Way, columns: Sequence[Column]) -> int:
        """Problems of these columns on which there were too few samples for equal tokens."""
        benchmarks = dict.fromkeys(column.benchmark for column in columns)
        found = [self._answered(way, seed, benchmark) for seed in self.seeds for benchmark in benchmarks]
        return sum(one.short for one in found if one is not None)

    def coverage(self, round: int, level: str) -> Interval | None:
        """Share of the training problems solved in a round."""
        counts = []
        for seed in self.seeds:
            levels = seed.coverage.get(round)
            if not levels:
                return None
            chosen = list(levels.values()) if level == ALL else [levels[level]] if level in levels else []
            counts.append((sum(one.solved for one in chosen), sum(one.total for one in chosen)))
        return measure.of_counts(counts) if counts and all(total for _, total in counts) else None

    def size(self, column: Column) -> str:
        """Number of problems, as text; of each seed if they differ; "?" where nothing of the column was asked for."""
        if any(column.benchmark not in seed.problems for seed in self.seeds):
            return "?"
        return "/".join(dict.fromkeys(str(len(self._members(seed, column))) for seed in self.seeds))

    def _vectors(self, way: Way, column: Column, grader: GraderName) -> list[list[float]] | None:
        vectors = []
        for seed in self.seeds:
            found, members = self._answered(way, seed, column.benchmark), self._members(seed, column)
            if found is None or not members:
                return None
            values = getattr(found.scores, grader)
            vectors.append([float(values[place]) for place in members])
        return vectors or None

    def _members(self, seed: SeedResults, column: Column) -> list[int]:
        problems = seed.problems.get(column.benchmark, ())
        return [place for place, one in enumerate(problems) if column.level in (ALL, one.level)]

    def _crossed(self, column: Column) -> bool:
        """Whether all seeds saw the same problems."""
        sets = {tuple(one.id + one.question for one in seed.problems[column.benchmark]) for seed in self.seeds}
        return len(sets) == 1

    def _answered(self, way: Way, seed: SeedResults, benchmark: str) -> Answered | None:
        key = way, self.seeds.index(seed), benchmark
        if key not in self._answers:
            self._answers[key] = self._answer(way, seed, benchmark)
        return self._answers[key]

    def _answer(self, way: Way, seed: SeedResults, benchmark: str) -> Answered | None:
        result, budgets = seed.found.get((way.run, benchmark, way.evaluation)), None
        if result is None:
            return None
        if way.equal_to is not None:
            other = self._answered(way.equal_to, seed, benchmark)
            if other is None:
                return None
            budgets = other.scores.generated_tokens
        return answers(way, result, self.plan.trees(benchmark), budgets, self.plan.top_k)
