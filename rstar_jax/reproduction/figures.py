"""Figures 3, 5, 6 and 7 from a study: a panel for each column of the plan, measured filled, the paper's points hollow.

Figures are values until they are drawn: series of ways over the number of trajectories, or pairs of bars.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from rstar_jax.evaluation.canvas import COLOURS, MARKERS
from rstar_jax.evaluation.paper import LABEL as PUBLISHED
from rstar_jax.evaluation.paper import published
from rstar_jax.reproduction.evaluations import greedy
from rstar_jax.reproduction.models import orm, ppm, slm
from rstar_jax.reproduction.plan import Column, StudyPlan
from rstar_jax.reproduction.specs import Rounds
from rstar_jax.reproduction.study import Study
from rstar_jax.reproduction.ways import RuleName, Way

_PAPER_PANELS = {"AIME24": "AIME 2024"}  # the figures' own names
GRADER = "strict"


@dataclasses.dataclass(frozen=True)
class Series:
    """A line: the same way with growing numbers of trajectories, or a bar from policy to search.

    ways: by number of trajectories. paper: label of the published series.
    """

    label: str
    ways: tuple[tuple[int, Way], ...]
    paper: str | None = None


@dataclasses.dataclass(frozen=True)
class FigureSpec:
    """paper: key of the published points. kind: "curves" over trajectories, or "bars" from the first way to the
    second."""

    name: str
    title: str
    x_label: str
    series: tuple[Series, ...]
    paper: str | None
    kind: Literal["curves", "bars"] = "curves"

    @property
    def ways(self) -> list[Way]:
        found = [way for one in self.series for _, way in one.ways]
        return list(dict.fromkeys([*found, *(way.equal_to for way in found if way.equal_to is not None)]))


def figures(plan: StudyPlan, rounds: Rounds) -> dict[str, FigureSpec]:
    """All figures with numbers, by name."""
    made = (figure_3(plan, rounds), figure_5(plan, rounds), figure_6(plan, rounds), figure_7(plan, rounds))
    return {spec.name: spec for spec in made}


def figure_3(plan: StudyPlan, rounds: Rounds) -> FigureSpec:
    """Accuracy over trajectories of the search, and best-of-N and majority at equal tokens."""
    head, last = rounds.headline, rounds.last
    searches = [(n, dataclasses.replace(head, n=n)) for n in plan.counts]
    best = [(n, Way(rounds.scored(last, ppm(last)), "best", equal_to=way)) for n, way in searches]
    majority = [(n, Way(rounds.samples(last), "majority", equal_to=way)) for n, way in searches]
    ranked = [(n, Way(rounds.scored(last, orm(last)), "best", equal_to=way)) for n, way in searches]
    series = (
        Series("search with the PPM", tuple(searches), "rStar-Math 7B+7B PPM"),
        Series("best-of-N by the PPM, equal tokens", tuple(best)),
        Series("best-of-N by the ORM, equal tokens", tuple(ranked), "Qwen2.5 7B + 72B ORM BoN"),
        Series("majority of samples, equal tokens", tuple(majority)),
    )
    heading = "Figure 3: test-time scaling"
    return FigureSpec("figure_3", heading, "trajectories of the search (others: as many tokens)", series, "figure_3")


def figure_5(plan: StudyPlan, rounds: Rounds) -> FigureSpec:
    """Each policy alone, and what the same PPM makes of it."""
    series = []
    for run, title, model in plan.models:
        ways = ((0, Way(greedy(rounds.last), run=run)), (1, dataclasses.replace(rounds.headline, run=run)))
        series.append(Series(title, ways, model.title))
    heading = "Figure 5: policies alone, and searched with the same PPM"
    return FigureSpec("figure_5", heading, "accuracy, %", tuple(series), None, "bars")


def figure_6(plan: StudyPlan, rounds: Rounds) -> FigureSpec:
    """Pass@N of samples."""
    counts = [2**k for k in range(plan.most_samples.bit_length()) if 2**k <= plan.most_samples]
    series = []
    for place, (run, title, _) in enumerate(plan.models):
        ways = tuple((n, Way(rounds.samples(rounds.last), "pass", n, run=run)) for n in counts)
        series.append(Series(f"{slm(rounds.last)}, {title}", ways, None if place else "rStar-Qwen2.5-Math-7B"))
    heading = "Figure 6: pass@N of sampled solutions"
    return FigureSpec("figure_6", heading, "samples N", tuple(series), "figure_6")


def figure_7(plan: StudyPlan, rounds: Rounds) -> FigureSpec:
    """Pass@N of searches with the PPM."""
    series = []
    for run, title, model in plan.models:
        rule: RuleName = "pass"
        ways = tuple((n, dataclasses.replace(rounds.headline, rule=rule, n=n, run=run)) for n in plan.counts)
        series.append(Series(title, ways, model.figure))
    heading = "Figure 7: pass@N of searches with the PPM"
    return FigureSpec("figure_7", heading, "trajectories N", tuple(series), "figure_7")


def draw(spec: FigureSpec, study: Study) -> Figure | None:
    """The figure; None if nothing of it was run."""
    columns = study.plan.columns
    wide = 2 if len(columns) in (2, 4) else min(3, len(columns))
    rows = math.ceil(len(columns) / wide)
    figure = Figure(figsize=(4.2 * wide, 3.4 * rows + 1.4), dpi=150, layout="constrained")
    panels = list(figure.subplots(rows, wide, squeeze=False).flat)
    drawn: list[str] = []
    for axes, column in zip(panels, columns, strict=False):
        drawn += (_bars if spec.kind == "bars" else _curves)(axes, spec, study, column)
        axes.set_title(_title(column, study), fontsize="medium")
    for axes in panels[len(columns) :]:
        axes.set_visible(False)
    if not drawn:
        return None
    _explain(figure, panels, spec, study, drawn)
    return figure


def _curves(axes: Axes, spec: FigureSpec, study: Study, column: Column) -> list[str]:
    kinds: list[str] = []
    ticks: set[int] = set()
    for place, one in enumerate(spec.series):
        points = [(n, value) for n, way in one.ways if (value := study.accuracy(way, column, GRADER)) is not None]
        look = {"color": COLOURS[place % 5], "marker": MARKERS[place % 5], "markersize": 4, "linewidth": 1.5}
        if points:
            ys = [100 * value.estimate for _, value in points]
            spread = (
                [100 * (value.estimate - value.low) for _, value in points],
                [100 * (value.high - value.estimate) for _, value in points],
            )
            xs = [n * 1.04 ** (place - 1) for n, _ in points]  # apart, so that intervals do not hide each other
            axes.errorbar(xs, ys, yerr=spread, capsize=2, elinewidth=0.8, label=one.label, **look)
            kinds += [value.kind for _, value in points]
            ticks |= {n for n, _ in points}
        ticks |= _published_curve(axes, spec, one, column, look)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=spec.x_label, ylabel="%")
    _plain(axes)
    return kinds


def _published_curve(axes: Axes, spec: FigureSpec, one: Series, column: Column, look: dict) -> set[int]:
    if spec.paper is None or one.paper is None or column.paper is None:
        return set()
    table, panel = published()[spec.paper], _PAPER_PANELS.get(column.paper, column.paper)
    cells = [(int(n), table.at((panel, one.paper), n)) for n in table.columns]
    known = [(n, cell) for n, cell in cells if cell is not None]
    hollow = {"markerfacecolor": "white", "linestyle": ":", "linewidth": 1, "alpha": 0.8}
    label = f"{PUBLISHED}: {one.paper}" if known else None
    axes.plot([n for n, _ in known], [cell for _, cell in known], label=label, **(look | hollow))
    return {n for n, _ in known}


def _bars(axes: Axes, spec: FigureSpec, study: Study, column: Column) -> list[str]:
    """Two bars a series, the policy above and what search makes of it below, which need not be more."""
    kinds: list[str] = []
    for place, one in enumerate(spec.series):
        paper = _published_bar(one, column)
        for part, (_, way) in enumerate(one.ways):
            y, value = place + (0.18 if part == 0 else -0.18), study.accuracy(way, column, GRADER)
            if value is not None:
                at, low, high = 100 * value.estimate, 100 * value.low, 100 * value.high
                look: dict[str, Any] = {"color": COLOURS[part], "hatch": "//" if part else "", "edgecolor": "white"}
                axes.barh(y, at, 0.32, label=("policy", "searched")[part] if place == 0 else None, **look)
                spread = [[at - low], [high - at]]
                axes.errorbar(at, y, xerr=spread, color="0.2", capsize=2, elinewidth=0.8, fmt="none")
                kinds.append(value.kind)
            else:
                axes.text(1, y, "not run", fontsize="x-small", color="0.4", va="center")
            if (published_at := paper[part]) is not None:
                look = {"marker": "o", "markerfacecolor": "white", "color": "0.3", "linestyle": "none"}
                axes.plot(published_at, y, label=PUBLISHED if place == part == 0 else None, **look)
    names = [one.label for one in spec.series]
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set(xlabel=spec.x_label, ylim=(-0.5, len(names) - 0.5), xlim=(0, 100))
    _plain(axes)
    return kinds


def _published_bar(one: Series, column: Column) -> tuple[float | None, float | None]:
    """Policy and search of a model, from Tables 10 and 5."""
    if column.paper is None or one.paper is None:
        return None, None
    row = {"Qwen2.5-Math-7B": "7B (Qwen2.5)", "Qwen2-Math-7B": "7B (Qwen2)", "Qwen2.5-Math-1.5B": "1.5B"}
    size = row.get(one.paper, "3.8B")
    return (
        published()["table_10"].at((f"{one.paper} → our policy",), column.paper),
        published()["table_5"].at((f"rStar-Math {size} + 7B PPM", "S2"), column.paper),
    )


def _title(column: Column, study: Study) -> str:
    other = f"; paper: {column.paper}" if study.plan.is_analogue and column.paper else ""
    return f"{column.title} (n={study.size(column)}{other})"


def _plain(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _explain(figure: Figure, panels: Sequence[Axes], spec: FigureSpec, study: Study, kinds: Sequence[str]) -> None:
    """Title, what is measured and what is published, and one legend."""
    paper = f"hollow, dotted: {PUBLISHED}" + (", other problems and models" if study.plan.is_analogue else "")
    shown = f"filled: measured, {GRADER} grader; whiskers: {', '.join(dict.fromkeys(kinds))}"
    figure.suptitle(f"{spec.title}\n", fontsize="large")
    figure.text(0.5, 0.985, f"\n\n{shown}; {paper}", ha="center", va="top", fontsize="x-small", color="0.35")
    found: dict[str, Artist] = {}
    for axes in panels:
        handles, names = axes.get_legend_handles_labels()
        for handle, name in zip(handles, names, strict=True):
            found.setdefault(name, handle)
    columns = 2 if len(found) > 2 else len(found)
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=columns, frameon=False)
