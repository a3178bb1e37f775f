"""The report of a run as HTML: one file with its plots inside, and beside it a page for each tree that it points to."""

from __future__ import annotations

import dataclasses
import importlib.resources
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import jinja2
from matplotlib.figure import Figure

from rstar_jax.evaluation import measure, render
from rstar_jax.evaluation.canvas import svg
from rstar_jax.evaluation.paper import LABEL as PUBLISHED
from rstar_jax.evaluation.plots import all_figures
from rstar_jax.evaluation.report import title
from rstar_jax.evaluation.summary import Runs, RunSummary, merge
from rstar_jax.evaluation.tables import Block, Published, Table, all_tables
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import write_text
from rstar_jax.report.curves import costs, held_out, rounds_of, training_figure
from rstar_jax.report.worth import Worth, worth_reading
from rstar_jax.search.progress import say
from rstar_jax.search.shards import trees_of
from rstar_jax.view.document import document
from rstar_jax.view.html import page as tree_page
from rstar_jax.view.marks import find_marks

_CAPTIONS = {
    "coverage": "Training problems with a right solution after each round, by level.",
    "system1_system2": "Held-out problems by round: the greedy policy, and search with the PPM.",
    "ppm_fixed_policy": "The PPM of each round guiding the same policy.",
    "scaling": "Test-time scaling: the search, and baselines that generate as many tokens.",
}
_XML_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Link:
    """To a file beside the page. below: a second line."""

    href: str
    text: str
    note: str = ""
    below: str = ""


@dataclasses.dataclass(frozen=True)
class Plot:
    """A figure inside the page."""

    svg: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page; what it does not have is left out."""

    id: str
    title: str
    note: str = ""
    plots: tuple[Plot, ...] = ()
    tables: tuple[dict[str, Any], ...] = ()
    links: tuple[Link, ...] = ()


def write_page(run: RunDir, summary: RunSummary) -> pathlib.Path:
    """Write report.html of a run whose rounds are over, and the pages of its trees; where it lies."""
    runs = merge([summary])
    links = tuple(_tree_pages(run))
    sections = [one for one in _sections(run, runs, links) if one.plots or one.tables or one.links]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_template())
    rounds = ", ".join(map(str, rounds_of(run)))
    origin = f"Of {run.root.name}, rounds {rounds}. Everything here is measured unless it says published."
    text = template.render(title=title(runs), origin=origin, tiles=_tiles(run, runs), sections=sections)
    write_text(run.report / "report.html", text)
    return run.report / "report.html"


def _sections(run: RunDir, runs: Runs, links: Sequence[Link]) -> Iterator[Section]:
    plots = tuple(Plot(_inline(figure), _CAPTIONS[name]) for name, figure in all_figures(runs).items())
    yield Section("results", "Results", "", plots)
    training = training_figure(run)
    if training is not None:
        caption = "As logged, faint, and the running mean. Accuracy on pairs being learned is no measure of a PPM."
        tables = (_held_out(run),) if held_out(run) else ()
        yield Section("training", "Training", "", (Plot(_inline(training), caption),), tables)
    yield Section("cost", "Cost", "What each round's search took.", (), (_costs(run),))
    yield Section("trees", "Trees worth reading", "Of the last round.", links=tuple(links))
    made = run.root / "reproduction" / "report"
    files = tuple(_file_link(file) for file in sorted(made.glob("*")) if file.suffix in (".md", ".svg"))
    note = "What reproduce_all.py has made of this run: every table and figure of the paper, as far as it was run."
    yield Section("paper", "The paper's tables and figures", note, links=files)
    note = f"Rows that say \u201c{PUBLISHED}\u201d are the paper's, of other problems and models."
    yield Section("tables", "Tables", note, (), tuple(map(_table, all_tables(runs))))


def _tiles(run: RunDir, runs: Runs) -> list[tuple[str, str]]:
    """The last round in a few numbers."""
    last = rounds_of(run)[-1]
    found = {
        "training problems solved": measure.coverage(runs, last),
        "System 1, greedy": measure.accuracy(runs, measure.of_round(last, "system1"), "strict"),
        "System 2, search with the PPM": measure.accuracy(runs, measure.of_round(last, "system2"), "strict"),
    }
    tiles = [(f"{name}, round {last}", f"{value.estimate:.1%}") for name, value in found.items() if value is not None]
    tokens = sum(cost.tokens for cost in costs(run))
    return [*tiles, ("tokens generated in all searches", f"{tokens:,}")]


def _costs(run: RunDir) -> dict[str, Any]:
    columns = ("problems", "trees", "tokens generated", "tokens scored", "seconds", "SFT rows", "pairs")
    rows = tuple(
        (
            (f"round {one.round}",),
            tuple(
                "not noted" if value is None else f"{value:,.0f}"
                for value in (
                    *(one.problems, one.trees, one.tokens, one.scored, one.seconds),
                    *(one.sft_rows, one.pair_rows),
                )
            ),
        )
        for one in costs(run)
    )
    note = "seconds: of all processes of the search together"
    return _table(Table("cost", "By round", (Block("Search and data", "", ("round",), columns, rows, note),)))


def _held_out(run: RunDir) -> dict[str, Any]:
    rows = tuple(((f"PPM-r{number}",), (value,)) for number, value in held_out(run))
    block = Block("Pairs of held-out problems", "%", ("PPM",), ("ordered rightly",), rows)
    return _table(Table("held_out", "PPM accuracy", (block,)))


def _table(table: Table) -> dict[str, Any]:
    """A table as the template takes it."""
    return {"title": table.title, "blocks": [_block(block) for block in table.blocks]}


def _block(block: Block) -> dict[str, Any]:
    _, *body = render.grid(block)
    width = len(block.label_names)
    rows = [
        {
            "labels": line[:width],
            "cells": line[width:],
            "published": block.label == PUBLISHED or any(isinstance(value, Published) for value in values),
        }
        for line, (_, values) in zip(body, block.rows, strict=True)
    ]
    note = render.footnote(block)
    return {"label": block.label, "note": note, "labels": block.label_names, "columns": block.columns, "rows": rows}


def _tree_pages(run: RunDir) -> Iterator[Link]:
    """Write a page for each tree worth reading of the last round."""
    last = rounds_of(run)[-1]
    for place, one in enumerate(worth_reading(run, last, trees_of(run.trees(last))), start=1):
        name = f"trees/{place:02}-{one.why.replace(' ', '-')}.html"
        write_text(run.report / name, tree_page(_document(run, last, one)))
        question = one.tree.problem.question
        shown = question if len(question) <= 240 else question[:239] + "…"
        yield Link(name, one.tree.problem.id, f"{one.why}: {one.note}", shown)
    say(f"pages of trees: {run.report / 'trees'}")


def _document(run: RunDir, number: int, one: Worth) -> dict[str, Any]:
    marks = find_marks(run.trees(number) / "shard.parquet", one.trees)
    return document(one.tree, marks, f"round{number}/trees", [tree.index for tree in one.trees])


def _file_link(file: pathlib.Path) -> Link:
    return Link(f"../reproduction/report/{file.name}", file.name)


def _inline(figure: Figure) -> str:
    """An SVG as it stands inside HTML."""
    return _XML_HEAD.sub("", svg(figure).decode())


def _template() -> str:
    return importlib.resources.files("rstar_jax.report").joinpath("page.html").read_text(encoding="utf-8")
