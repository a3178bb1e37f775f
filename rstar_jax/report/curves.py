"""What training left in its metrics files: curves by round, the PPM's accuracy, and what each round cost."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rstar_jax.evaluation.canvas import COLOURS, MARKERS
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import iterate_jsonl, read_json
from rstar_jax.search.shards import summary_of

_SMOOTH = 0.9  # of an exponential mean over logged steps, beside which the raw curve is drawn faintly


@dataclasses.dataclass(frozen=True)
class Curve:
    """One quantity over the steps of one training."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def smooth(self) -> list[float]:
        """An exponential mean without the bias of its beginning."""
        mean, weight, found = 0.0, 0.0, []
        for value in self.values:
            mean = _SMOOTH * mean + (1 - _SMOOTH) * value
            weight = _SMOOTH * weight + (1 - _SMOOTH)
            found.append(mean / weight)
        return found


@dataclasses.dataclass(frozen=True)
class RoundCost:
    """Of a round's search and data. seconds: of all processes together; None if they were not noted."""

    round: int
    problems: int
    trees: int
    tokens: int
    seconds: float | None
    scored: int | None
    sft_rows: int
    pair_rows: int


def rounds_of(run: RunDir) -> list[int]:
    """Numbers of the rounds whose data are there."""
    found = (int(folder.name.removeprefix("round")) for folder in run.root.glob("round*") if folder.is_dir())
    return sorted(number for number in found if run.has_data(number))


def curves(run: RunDir, model: str, quantity: str) -> list[Curve]:
    """A quantity ("loss", "accuracy") of every round's "policy" or "ppm" that has been trained."""
    found = []
    for number in rounds_of(run):
        file = run.round(number) / model / "metrics.jsonl"
        rows = [row for _, row in iterate_jsonl(file) if quantity in row] if file.exists() else []
        if rows:
            steps, values = zip(*((row["step"], row[quantity]) for row in rows), strict=True)
            found.append(Curve(f"round {number}", steps, values))
    return found


def held_out(run: RunDir) -> list[tuple[int, float]]:
    """Share of held-out pairs that each round's PPM orders rightly, where some were held out."""
    found = []
    for curve in curves(run, "ppm", "held_out_accuracy"):
        found.append((int(curve.name.removeprefix("round ")), curve.values[-1]))
    return found


def costs(run: RunDir) -> Iterator[RoundCost]:
    """What each round took."""
    for number in rounds_of(run):
        found, counts = summary_of(run.trees(number)), read_json(run.data_counts(number))
        notes = [read_json(file) for file in sorted((run.round(number) / "metrics").glob("search*.json"))]
        yield RoundCost(
            number,
            found.problems,
            found.trees,
            found.tokens,
            _total(notes, "seconds"),
            _total(notes, "ppm_scored"),
            counts["sft_rows"],
            counts["pair_rows"],
        )


def training_figure(run: RunDir) -> Figure | None:
    """Loss of policies and PPMs, and the PPMs' accuracy on the pairs that they learn."""
    panels = [
        ("policy: loss", curves(run, "policy", "loss"), True),
        ("PPM: loss", curves(run, "ppm", "loss"), False),
        ("PPM: pairs ordered rightly, training", curves(run, "ppm", "accuracy"), False),
    ]
    if not any(found for _, found, _ in panels):
        return None
    figure = Figure(figsize=(12, 3.6), dpi=150, layout="constrained")
    for axes, (title, found, logarithmic) in zip(figure.subplots(1, 3), panels, strict=True):
        _draw(axes, title, found)
        if logarithmic and found:
            axes.set_yscale("log")
    return figure


def _draw(axes: Axes, title: str, found: Sequence[Curve]) -> None:
    for curve, colour, marker in zip(found, itertools.cycle(COLOURS), itertools.cycle(MARKERS)):
        axes.plot(curve.steps, curve.values, color=colour, alpha=0.2, linewidth=0.8)
        every = max(1, len(curve.steps) // 8)
        look: dict[str, Any] = {"color": colour, "marker": marker, "markevery": every, "markersize": 4}
        axes.plot(curve.steps, curve.smooth, label=curve.name, **look)
    axes.set(xlabel="step", title=title)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if found:
        axes.legend(frameon=False, fontsize="small")


def _total(notes: Sequence[dict[str, Any]], name: str) -> Any:
    return sum(note[name] for note in notes) if notes and all(name in note for note in notes) else None
