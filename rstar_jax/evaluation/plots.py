"""Figures of a run: coverage, System 1 and 2, PPM quality, test-time scaling; the paper's points are hollow.

See `canvas` for how they become files.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from rstar_jax.evaluation import measure
from rstar_jax.evaluation.canvas import COLOURS, MARKERS, png
from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.paper import LABEL as PUBLISHED
from rstar_jax.evaluation.paper import published
from rstar_jax.evaluation.summary import Runs, ScalingCurve
from rstar_jax.evaluation.tables import MEASURED
from rstar_jax.files import AnyPath, atomic_write, local_path
from rstar_jax.problems.problem import LEVELS

_DPI = 150
_PAPER_ROUNDS = (1, 2, 3, 4)


def all_figures(runs: Runs) -> dict[str, Figure]:
    """Every figure for which there is data, by name."""
    figures = {
        "coverage": coverage_figure(runs),
        "system1_system2": systems_figure(runs),
        "ppm_fixed_policy": ppm_figure(runs),
        "scaling": scaling_figure(runs),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def write_plots(runs: Runs, out_dir: AnyPath) -> list[str]:
    """Write every figure for which there is data; the file names that were written."""
    written = {f"{name}.png": figure for name, figure in all_figures(runs).items()}
    for name, figure in written.items():
        with atomic_write(local_path(out_dir) / name, "wb") as file:
            file.write(png(figure))
    return list(written)


def coverage_figure(runs: Runs) -> Figure | None:
    """Share of training problems solved per round, by level, with the paper's Table 2."""
    figure, axes = _figure("round", "solved, %")
    drawn: list[Interval] = []
    for place, level in enumerate((*LEVELS, measure.ALL)):
        points = [(r + _apart(place), measure.coverage(runs, r, level)) for r in runs.rounds]
        drawn += _line(axes, points, level, place)
        _paper(axes, [published()["table_2"].cell(str(r), level) for r in _PAPER_ROUNDS], place)
    title = "Training problems solved per round (Table 2)"
    return _finish(figure, axes, drawn, title, "Table 2, other problems and models") if drawn else None


def systems_figure(runs: Runs) -> Figure | None:
    """System 1 and System 2 per round on all problems, with the paper's MATH column (Tables 3 and 6)."""
    figure, axes = _figure("round", "accuracy (strict grader), %")
    lines = (
        ("System 2: search with PPM", "system2", "table_6", "Round {}"),
        ("System 1: greedy policy", "system1", "table_3", "SLM-r{}"),
    )
    drawn: list[Interval] = []
    for place, (name, field, table, row) in enumerate(lines):
        values = [measure.accuracy(runs, measure.of_round(r, field), "strict") for r in runs.rounds]
        points = [(r + _apart(place), value) for r, value in zip(runs.rounds, values, strict=True)]
        drawn += _line(axes, points, name, place)
        _paper(axes, [published()[table].cell(row.format(r), "MATH") for r in _PAPER_ROUNDS], place)
    title = "System 1 and System 2 per round (Tables 3 and 6)"
    return _finish(figure, axes, drawn, title, "MATH-500, Qwen2.5-Math-7B") if drawn else None


def ppm_figure(runs: Runs) -> Figure | None:
    """The PPM of each round with a fixed policy, with the paper's MATH column (Table 4)."""
    figure, axes = _figure("round of the PPM", "accuracy (strict grader), %")
    points = [
        (r, measure.accuracy(runs, measure.of_round(r, "ppm_fixed_policy"), "strict")) for r in runs.rounds
    ]
    drawn = _line(axes, points, "search with this PPM", 0)
    _paper(axes, [published()["table_4"].cell(f"r{r}", "MATH") for r in _PAPER_ROUNDS], 0)
    title = f"PPM per round, policy fixed to {runs.runs[0].fixed_policy} (Table 4)"
    return _finish(figure, axes, drawn, title, "MATH-500, policy SLM-r1 of 7B") if drawn else None


def scaling_figure(runs: Runs) -> Figure | None:
    """Test-time scaling of the last round that has it: the search and baselines of equal cost (Figure 3)."""
    numbers = [r for r in runs.rounds if all(run.round(r).scaling for run in runs.runs)]
    if not numbers:
        return None
    figure, axes = _figure(
        "trajectories of the search (others: as many tokens)", "accuracy (strict grader), %"
    )
    curves = runs.runs[0].round(numbers[-1]).scaling
    drawn: list[Interval] = []
    for place, curve in enumerate(curves):
        picks = [(n, measure.of_curve(numbers[-1], curve.name, n)) for n in curve.counts]
        points = [(n * 2 ** _apart(place), measure.accuracy(runs, pick, "strict")) for n, pick in picks]
        drawn += _line(axes, points, curve.name + (" *" if any(curve.unmatched) else ""), place)
    axes.set_xscale("log", base=2)
    axes.set_xticks(curves[0].counts)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    note = "* fewer samples than the tokens would buy, on some problems" if _any_unmatched(curves) else ""
    return _finish(figure, axes, drawn, f"Test-time scaling, round {numbers[-1]}", note=note)


def _figure(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 5), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x_label, ylabel=y_label, ylim=(-3, 103))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _line(
    axes: Axes, points: Sequence[tuple[float, Interval | None]], name: str, place: int
) -> list[Interval]:
    """A measured line with its intervals, without what was not run; returns what was drawn."""
    known = [(x, value) for x, value in points if value is not None]
    if not known:
        return []
    ys = [100 * value.estimate for _, value in known]
    below = [100 * (value.estimate - value.low) for _, value in known]
    above = [100 * (value.high - value.estimate) for _, value in known]
    look = {"color": COLOURS[place], "marker": MARKERS[place], "capsize": 3}
    axes.errorbar([x for x, _ in known], ys, yerr=(below, above), label=name, **look)
    return [value for _, value in known]


def _apart(place: int) -> float:
    """Moves lines apart, so that intervals do not hide each other."""
    return 0.03 * (place - 1)


def _paper(axes: Axes, cells: Sequence[float | None], place: int) -> None:
    """Published points of rounds 1 to 4: hollow, dotted, without intervals, since the paper has none."""
    style = {"linestyle": ":", "markerfacecolor": "white", "linewidth": 1, "alpha": 0.7}
    values = [float("nan") if cell is None else cell for cell in cells]
    axes.plot(_PAPER_ROUNDS, values, color=COLOURS[place], marker=MARKERS[place], **style)


def _finish(
    figure: Figure, axes: Axes, drawn: Sequence[Interval], title: str, paper: str = "", note: str = ""
) -> Figure:
    """Title, a line that says what is measured and what is published, and the legend below the axes."""
    lines = [f"filled: {MEASURED}, bars: {'; '.join(dict.fromkeys(value.kind for value in drawn))}"]
    lines += [f"hollow, dotted: {PUBLISHED}, {paper}"] if paper else []
    lines += [note] if note else []
    figure.suptitle(title)
    axes.set_title("\n".join(lines), fontsize="small", color="0.35")
    handles, names = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, names)) < 30 else 1
    figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize="small")
    return figure


def _any_unmatched(curves: Sequence[ScalingCurve]) -> bool:
    return any(short for curve in curves for short in curve.unmatched)
