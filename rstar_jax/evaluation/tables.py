"""The analogues of the paper's Tables 2, 3, 4, 6 and 9, beside the paper's own numbers and never mixed.

A table is a list of blocks, each labelled "measured (this run)" or "published (paper)"; values stay numbers
until a block is rendered, to terminal text or to Markdown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from rstar_jax.evaluation import measure
from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.paper import LABEL as PUBLISHED
from rstar_jax.evaluation.paper import PublishedTable, published
from rstar_jax.evaluation.summary import GRADERS, GraderName, Runs, RunSummary, Scores
from rstar_jax.problems.problem import LEVELS

MEASURED = "measured (this run)"
COLUMNS = (*LEVELS, measure.ALL)



@dataclasses.dataclass(frozen=True)
class Published:
    """A number of the paper, in the unit of its table; printed so that it is never taken for a measured one."""

    value: float | None


@dataclasses.dataclass(frozen=True)
class Gap:
    """A difference of two shares, as a fraction. marked: it is unlikely to be chance."""

    value: Interval | float
    marked: bool = False


Value = Interval | Published | Gap | float | str | None  # None: not run; str: printed as it is


@dataclasses.dataclass(frozen=True)
class Block:
    """Rows of one unit: "%" (values are fractions), "points" (their differences), "tokens", or "" for plain numbers."""

    label: str
    unit: str
    label_names: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Value, ...]], ...]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """Blocks under one title; `name` is the key in `tables.json`."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def all_tables(runs: Runs) -> list[Table]:
    """Every table in the paper's order, then the two systems compared, and the scaling if it was run."""
    return [
        coverage_table(runs),
        system1_table(runs),
        ppm_table(runs),
        system2_table(runs),
        tokens_table(runs),
        comparison_table(runs),
        *scaling_tables(runs),
    ]


def coverage_table(runs: Runs) -> Table:
    """Table 2: share of the training problems solved per round, by level."""
    rows = tuple(
        ((str(r), _models(runs, r)), tuple(measure.coverage(runs, r, level) for level in COLUMNS))
        for r in runs.rounds
    )
    block = Block(_measured(runs), "%", ("round", "models in MCTS"), COLUMNS, rows)
    return Table("table_2", "Table 2: training problems solved per round", (block, _published("table_2")))


def system1_table(runs: Runs) -> Table:
    """Table 3: greedy policy of each round, after the reference models."""
    picks = [(name, _reference(name)) for name in runs.references]
    picks += [(f"SLM-r{r}", measure.of_round(r, "system1")) for r in runs.rounds]
    return _accuracy_table(runs, "table_3", "Table 3: System 1, greedy policy per round", "model", picks)


def ppm_table(runs: Runs) -> Table:
    """Table 4: the PPM of each round, the policy fixed."""
    title = f"Table 4: PPM per round, policy fixed to {runs.runs[0].fixed_policy}"
    picks = [(f"PPM-r{r}", measure.of_round(r, "ppm_fixed_policy")) for r in runs.rounds]
    return _accuracy_table(runs, "table_4", title, "PPM", picks)


def system2_table(runs: Runs) -> Table:
    """Table 6: policy and PPM of each round in search."""
    picks = [(f"Round {r}", measure.of_round(r, "system2")) for r in runs.rounds]
    return _accuracy_table(runs, "table_6", "Table 6: System 2, policy and PPM per round", "round", picks)


def tokens_table(runs: Runs) -> Table:
    """Table 9: generated tokens per trajectory."""
    picks = [(f"System 1, SLM-r{r}", measure.of_round(r, "system1")) for r in runs.rounds]
    picks += [(f"System 2, round {r}", measure.of_round(r, "system2")) for r in runs.rounds]
    rows = tuple(
        ((name,), tuple(measure.tokens_per_trajectory(runs, pick, level) for level in COLUMNS))
        for name, pick in picks
    )
    note = "all tokens that the policy generated, discarded candidates included, over finished trajectories"
    block = Block(_measured(runs), "tokens", ("method",), _sized_columns(runs), rows, note)
    title = "Table 9: mean generated tokens to obtain one trajectory"
    return Table("table_9", title, (block, _published("table_9")))


def comparison_table(runs: Runs) -> Table:
    """System 2 minus System 1 per round, paired by problem; the paper has no such table."""
    blocks = []
    for grader in GRADERS:
        rows = tuple(((f"Round {r}",), _comparison(runs, r, grader)) for r in runs.rounds)
        columns = (*_sized_columns(runs), "p, all problems")
        note = "p: exact McNemar, two-sided; given for one seed only"
        label = f"{_measured(runs)}, {grader} grader"
        blocks.append(Block(label, "points", ("round",), columns, rows, note))
    return Table("system2_minus_system1", "System 2 minus System 1, same problems", tuple(blocks))


def scaling_tables(runs: Runs) -> list[Table]:
    """Figure 3 as a table for each round that has curves: accuracy, and the tokens that it took."""
    return [_scaling_table(runs, r) for r in runs.rounds if all(run.round(r).scaling for run in runs.runs)]


def _accuracy_table(runs: Runs, name: str, title: str, row_name: str, picks: list) -> Table:
    blocks = []
    for grader in GRADERS:
        rows = tuple(
            ((label,), tuple(measure.accuracy(runs, pick, grader, level) for level in COLUMNS))
            for label, pick in picks
        )
        label = f"{_measured(runs)}, {grader} grader"
        blocks.append(Block(label, "%", (row_name,), _sized_columns(runs), rows))
    return Table(name, title, (*blocks, _published(name)))


def _scaling_table(runs: Runs, number: int) -> Table:
    curves = runs.runs[0].round(number).scaling
    columns = tuple(str(n) for n in curves[0].counts)
    blocks = []
    for grader in GRADERS:
        rows = tuple(
            (
                (c.name,),
                tuple(measure.accuracy(runs, measure.of_curve(number, c.name, n), grader) for n in c.counts),
            )
            for c in curves
        )
        blocks.append(Block(f"{_measured(runs)}, {grader} grader", "%", ("trajectories",), columns, rows))
    rows = tuple(
        (
            (c.name,),
            tuple(measure.tokens_per_problem(runs, measure.of_curve(number, c.name, n)) for n in c.counts),
        )
        for c in curves
    )
    short = max((n for run in runs.runs for c in run.round(number).scaling for n in c.unmatched), default=0)
    note = "mean generated tokens per problem"
    if short:
        note += f"; on up to {short} problems there were fewer samples than the search's tokens would buy"
    blocks.append(Block(_measured(runs), "tokens", ("trajectories",), columns, rows, note))
    title = f"Figure 3: test-time scaling, round {number}"
    return Table(f"figure_3_round_{number}", title, (*blocks, _published("figure_3")))


def _comparison(runs: Runs, number: int, grader: GraderName) -> tuple[Value, ...]:
    first, second = measure.of_round(number, "system2"), measure.of_round(number, "system1")
    differences = [measure.difference(runs, first, second, grader, level) for level in COLUMNS]
    p_value = measure.mcnemar_p(runs, first, second, grader)
    return (*differences, "–" if p_value is None else f"{p_value:.3g}")


def _reference(name: str) -> Callable[[RunSummary], Scores | None]:
    return lambda run: run.references.get(name)


def _models(runs: Runs, number: int) -> str:
    return " / ".join(dict.fromkeys(run.round(number).models for run in runs.runs)) or "–"


def _measured(runs: Runs) -> str:
    seeds = [run.seed for run in runs.runs]
    return MEASURED if len(seeds) == 1 else f"{MEASURED}, mean of {len(seeds)} seeds"


def _sized_columns(runs: Runs) -> tuple[str, ...]:
    return tuple(f"{level} (n={measure.size(runs, level)})" for level in COLUMNS)


def _published(name: str) -> Block:
    table: PublishedTable = published()[name]
    digits = max(_decimals(cell) for cells in table.cells for cell in cells if cell is not None)
    rows = tuple(
        (labels, tuple("–" if cell is None else f"{cell:.{digits}f}" for cell in cells))
        for labels, cells in zip(table.row_labels, table.cells, strict=True)
    )
    return Block(
        PUBLISHED, table.unit, table.label_names, table.columns, rows, f"{table.title}; {table.source}"
    )


def _decimals(value: float) -> int:
    return 0 if value == int(value) else len(repr(value).partition(".")[2])
