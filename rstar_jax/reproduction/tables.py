"""Tables filled from a study: measured by both graders, the paper's cell, the difference; comparisons; costs.

A cell of the paper stands in a row of its own that says so, and is printed in italics. What was not run says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.paper import LABEL as PUBLISHED
from rstar_jax.evaluation.paper import published
from rstar_jax.evaluation.summary import GRADERS
from rstar_jax.evaluation.tables import Block, Gap, Published, Table, Value
from rstar_jax.problems.problem import LEVELS
from rstar_jax.reproduction.plan import ALL, Column, StudyPlan
from rstar_jax.reproduction.specs import Line, Spec
from rstar_jax.reproduction.study import Study
from rstar_jax.reproduction.ways import Way

PAPER, GAP = PUBLISHED, "released − paper"
_NAMES = {  # of the paper's columns, which its tables do not name alike
    "AIME24": ("AIME24", "AIME", "AIME 2024"),
    "AMC23": ("AMC23", "AMC"),
    "Olympiad": ("Olympiad", "Olympiad Bench"),
    "College": ("College", "College Math"),
}
_COSTS = ("generated tokens", "scored tokens", "Python calls", "seconds")
_Row = tuple[tuple[str, ...], tuple[Value, ...]]


def fill(spec: Spec, study: Study) -> Table:
    """A table with what there is."""
    if spec.kind == "coverage":
        return Table(spec.name, spec.title, (_coverage(spec, study),))
    columns = columns_of(spec, study.plan)
    blocks = [_accuracies(spec, study, columns) if spec.kind == "accuracy" else _tokens(spec, study, columns)]
    if spec.comparisons:
        blocks.append(_comparisons(spec, study, columns))
    blocks.append(_costs(spec, study, columns))
    return Table(spec.name, spec.title, tuple(blocks))


def columns_of(spec: Spec, plan: StudyPlan) -> tuple[Column, ...]:
    """Omni-Math is in Table 1 only."""
    return (*plan.columns, plan.omni) if spec.name == "table_1" and plan.omni else plan.columns


def paper_cell(spec: Spec, line: Line, column: Column) -> float | None:
    """The paper's number for a row and column of ours; None if it has none. Table 1 has its models in columns."""
    if spec.paper is None or line.paper is None or column.paper is None:
        return None
    table = published()[spec.paper]
    for name in _NAMES.get(column.paper, (column.paper,)):
        cell = table.at((name,), line.paper[0]) if spec.paper == "table_1" else table.at(line.paper, name)
        if cell is not None:
            return cell
    return None


def _accuracies(spec: Spec, study: Study, columns: Sequence[Column]) -> Block:
    rows = [row for line in spec.lines for row in _line_rows(spec, line, study, columns)]
    titles = tuple(_title(column, study) for column in columns)
    return Block("Accuracy", "%", (*spec.label_names, "source"), titles, tuple(rows), _note(spec, study, columns))


def _line_rows(spec: Spec, line: Line, study: Study, columns: Sequence[Column]) -> list[_Row]:
    paper = [paper_cell(spec, line, column) for column in columns]
    rows: list[_Row] = []
    measured: dict[str, list[Interval | None]] = {}
    if line.way is not None:
        for grader in GRADERS:
            measured[grader] = [study.accuracy(line.way, column, grader) for column in columns]
        if any(value is not None for value in measured["strict"]):
            rows += [((*line.labels, f"measured, {grader}"), tuple(values)) for grader, values in measured.items()]
        else:
            rows.append(((*line.labels, "measured"), (None,) * len(columns)))
    if any(value is not None for value in paper):
        rows.append(((*line.labels, PAPER), tuple(map(Published, paper))))
    if line.way is not None:
        gaps = [_gap(one, other) for one, other in zip(measured["released"], paper, strict=True)]
        if any(isinstance(gap, Gap) for gap in gaps):
            rows.append(((*line.labels, GAP), tuple(gaps)))
    return rows


def _gap(measured: Interval | None, paper: float | None) -> Value:
    if measured is None or paper is None:
        return "–"
    at = paper / 100
    return Gap(measured.estimate - at, not measured.low <= at <= measured.high)


def _comparisons(spec: Spec, study: Study, columns: Sequence[Column]) -> Block:
    rows: list[_Row] = []
    for one in spec.comparisons:
        for grader in GRADERS:
            found = [study.difference(one.first, one.second, column, grader) for column in columns]
            values = tuple(None if gap is None else Gap(gap.gap, gap.is_clear) for gap in found)
            rows.append(((one.label, grader), values))
    tested = "exact McNemar, p < 0.05" if len(study.seeds) == 1 else "the interval excludes 0"
    note = f"first minus second on the same problems; *: {tested} (of fractions: the interval excludes 0)"
    titles = tuple(_title(column, study) for column in columns)
    return Block("Differences", "points", ("pair", "grader"), titles, tuple(rows), note)


def _costs(spec: Spec, study: Study, columns: Sequence[Column]) -> Block:
    rows: list[_Row] = []
    for line in spec.lines:
        if line.way is not None:
            cost = study.cost(line.way, columns)
            values = (None,) * 4 if cost is None else (cost.generated, cost.scored, cost.calls, cost.seconds)
            rows.append((line.labels, values))
    note = "means over the problems of all columns; seconds: from the first to the last of a problem, beside others"
    return Block("Cost of a problem", "", spec.label_names, _COSTS, tuple(rows), note)


def _tokens(spec: Spec, study: Study, columns: Sequence[Column]) -> Block:
    rows: list[_Row] = []
    for line in spec.lines:
        if line.way is not None:
            way: Way = line.way
            found = tuple(study.tokens_per_trajectory(way, column) for column in columns)
            rows.append(((*line.labels, "measured"), found))
        paper = [paper_cell(spec, line, column) for column in columns]
        if any(value is not None for value in paper):
            rows.append(((*line.labels, PAPER), tuple(map(Published, paper))))
    titles = tuple(_title(column, study) for column in columns)
    return Block("Tokens", "tokens", (*spec.label_names, "source"), titles, tuple(rows), spec.note)


def _coverage(spec: Spec, study: Study) -> Block:
    table, columns, rows = published()["table_2"], (*LEVELS, ALL), []
    for number, ours, models in spec.rounds:
        found = tuple(study.coverage(number, level) for level in columns)
        paper = tuple(Published(table.at((str(number), models), level)) for level in columns)
        gaps = tuple(_gap(one, other.value) for one, other in zip(found, paper, strict=True))
        rows += [((str(number), ours, "measured"), found), ((str(number), models, PAPER), paper)]
        if any(isinstance(gap, Gap) for gap in gaps):
            rows.append(((str(number), "", "measured − paper"), gaps))
    return Block("Coverage", "%", (*spec.label_names, "source"), columns, tuple(rows), spec.note)


def _title(column: Column, study: Study) -> str:
    """With the number of problems, and the paper's name where it is another benchmark."""
    other = f"; paper: {column.paper}" if column.paper and study.plan.is_analogue else ""
    return f"{column.title} (n={study.size(column)}{other})"


def _note(spec: Spec, study: Study, columns: Sequence[Column]) -> str:
    parts = [spec.note] if spec.note else []
    if study.plan.is_analogue and spec.paper:
        parts.append("the paper's rows are of other problems and far larger models: compare shapes only")
    short = sum(study.short(line.way, columns) for line in spec.lines if line.way and line.way.equal_to)
    if short:
        parts.append(f"equal tokens: in {short} cases there were fewer samples of a problem than the tokens would buy")
    if spec.paper:
        parts.append("*: the paper's number lies outside the interval")
    return "; ".join(parts)
