"""Self-reflection (section 5, Figure 4): where a solution leaves a low-valued approach and recovers.

The paper shows examples and gives no rule. Ours goes by the PPM's values of the steps:

    low       a step whose value is at most `low` and lower than that of some step before it: the approach gets worse
    switch    the first step behind it whose value is at least `high`, and at least `rise` above it
    recovery  the solution ends in an answer whose own value is at least `high`; in training trees, where answers are
              judged by the truth and not by the PPM, in a right one

Q is no substitute where there is no PPM (rounds 1 and 2): it knows the truth, which the model does not.
In Figure 4 the values are -0.08, -0.219, -0.348, then 0.620, 0.698, 0.835: low at the third step, switch at the fourth.
Values alone do not tell reflection from a search that was lucky at last. So what is written is read too: a recovery is
called a reflection if between the low step and the switch the solution takes something back, that is, if a step assigns
a name again that steps before the low one or the low one itself have assigned, or opens a new program although it has
seen an output. In a tree the contrast is kept too: a sibling of the switch, and its value.
"""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence

from rstar_jax.evaluation.results import TrajectoryRow
from rstar_jax.search.trajectories import trajectories
from rstar_jax.search.tree import Tree
from rstar_jax.trajectory.steps import program
from rstar_jax.trajectory.tags import CODE, END_OF_OUTPUT


@dataclasses.dataclass(frozen=True)
class ReflectionRule:
    """What counts; see the head of this file."""

    low: float = -0.2
    high: float = 0.3
    rise: float = 0.6


@dataclasses.dataclass(frozen=True)
class Solved:
    """A finished solution with the values of its steps.

    values: NaN where the PPM was not asked. contrast: for each step the lowest value among its siblings that were not
    taken, and that sibling's text; (NaN, "") without one. correct: None if nobody judged it.
    """

    question: str
    problem: str
    answer: str
    steps: tuple[str, ...]
    values: tuple[float, ...]
    correct: bool | None
    contrast: tuple[tuple[float, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Recovery:
    """low, switch: step numbers from 0. redoes: names that are assigned again on the way to the switch. reopens:
    whether a new program is begun there behind an output."""

    solution: Solved
    low: int
    switch: int
    redoes: tuple[str, ...]
    reopens: bool

    @property
    def rise(self) -> float:
        return self.solution.values[self.switch] - self.solution.values[self.low]

    @property
    def is_reflection(self) -> bool:
        """Whether something is taken back."""
        return bool(self.redoes) or self.reopens


@dataclasses.dataclass(frozen=True)
class Counts:
    """solutions: distinct ones with values. low: those with a low step. recovered: of these, those that recover.
    reflected: of these, those that take something back. *_right: how many of them are right. unscored: distinct ones
    that the PPM did not value.
    """

    unscored: int = 0
    solutions: int = 0
    low: int = 0
    low_right: int = 0
    recovered: int = 0
    recovered_right: int = 0
    reflected: int = 0
    reflected_right: int = 0


def find(solution: Solved, rule: ReflectionRule = ReflectionRule()) -> Recovery | None:
    """The first recovery of a solution."""
    values = solution.values
    if not (solution.correct is True if math.isnan(values[-1]) else values[-1] >= rule.high):
        return None
    for switch in range(2, len(values)):
        lows = _low_steps(values[:switch], rule)
        low = min(lows, key=values.__getitem__, default=switch)
        if low < switch and values[switch] >= max(rule.high, values[low] + rule.rise):
            redoes, reopens = _taken_back(solution.steps, low, switch)
            return Recovery(solution, low, switch, redoes, reopens)
    return None


def count(solutions: Iterable[Solved], rule: ReflectionRule = ReflectionRule()) -> tuple[Counts, list[Recovery]]:
    """How many recover, and those, clearest first. Solutions of equal texts count once."""
    totals, found, seen = Counts(), [], set()
    for one in solutions:
        if (one.problem, one.steps) in seen:
            continue
        seen.add((one.problem, one.steps))
        if any(map(math.isnan, one.values[:-1])):
            totals = dataclasses.replace(totals, unscored=totals.unscored + 1)
            continue
        recovery, right = find(one, rule), bool(one.correct)
        flags = {
            "solutions": True,
            "low": bool(_low_steps(one.values, rule)),
            "recovered": recovery is not None,
            "reflected": recovery is not None and recovery.is_reflection,
        }
        flags |= {f"{name}_right": flag and right for name, flag in flags.items() if name != "solutions"}
        totals = dataclasses.replace(totals, **{name: getattr(totals, name) + flag for name, flag in flags.items()})
        if recovery is not None:
            found.append(recovery)
    return totals, sorted(found, key=_clarity, reverse=True)


def of_tree(tree: Tree) -> Iterator[Solved]:
    """The finished solutions of a tree."""
    for one in trajectories(tree):
        values = tuple(tree.ppm[node] for node in one.nodes)
        contrast = tuple(_lowest_sibling(tree, node) for node in one.nodes)
        yield Solved(
            tree.problem.question, tree.problem.id, one.answer, one.steps, values, one.correct, contrast
        )


def of_rows(question: str, rows: Sequence[TrajectoryRow]) -> Iterator[Solved]:
    """The finished solutions of an evaluation whose steps were scored."""
    for row in rows:
        if row.answer is not None and row.values:
            yield Solved(question, row.problem_id, row.answer, row.text, row.values, row.strict)


def _low_steps(values: Sequence[float], rule: ReflectionRule) -> list[int]:
    return [i for i in range(1, len(values)) if values[i] <= rule.low and values[i] < max(values[:i])]


def _taken_back(steps: Sequence[str], low: int, switch: int) -> tuple[tuple[str, ...], bool]:
    """Names that steps behind the low one, up to the switch, assign again; and whether a program is begun there though
    an output was seen."""
    before = {name for place in range(low + 1) for name in _assigned(steps, place)}
    behind = {name for place in range(low + 1, switch + 1) for name in _assigned(steps, place)}
    reopens = any(
        CODE in steps[place] and any(END_OF_OUTPUT in earlier for earlier in steps[:place])
        for place in range(low + 1, switch + 1)
    )
    return tuple(sorted(before & behind)), reopens


def _assigned(steps: Sequence[str], place: int) -> set[str]:
    try:
        module = ast.parse(program(steps[:place], steps[place])[1])
    except SyntaxError:  # half a statement: it assigns nothing that we could name
        return set()
    stored = (node for node in ast.walk(module) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return {node.id for node in stored}


def _lowest_sibling(tree: Tree, node: int) -> tuple[float, str]:
    siblings = tree.children[tree.parent[node]]
    others = [child for child in siblings if child != node and not math.isnan(tree.ppm[child])]
    if not others:
        return math.nan, ""
    lowest = min(others, key=tree.ppm.__getitem__)
    return tree.ppm[lowest], tree.text[lowest]


def _clarity(one: Recovery) -> tuple[bool, bool, float]:
    """Reflections first, right ones first, then by rise."""
    return one.is_reflection, bool(one.solution.correct), one.rise
