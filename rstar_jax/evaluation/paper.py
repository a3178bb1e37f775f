"""The paper's own numbers, so that every table of ours can stand beside the one it answers to.

`paper_cells.json` holds Tables 1 to 10 and Figures 3, 6 and 7 of arXiv 2501.04519v1 (Figure 5 draws what stands in
Tables 5 and 10). Rows that the paper names alike ("our policy") have the base model's name in front. All of them are
published, none is measured by this code; whatever prints them must say so (`LABEL`).
"""

from __future__ import annotations

import dataclasses
import functools
import json
from importlib import resources

LABEL = "published (paper)"


@dataclasses.dataclass(frozen=True)
class PublishedTable:
    """One table of the paper: `cells[row][column]`, None where the paper prints a dash.

    `row_labels[row]` has one string per name in `label_names` (e.g. round and models).
    """

    title: str
    source: str
    unit: str  # "%" or "tokens"
    label_names: tuple[str, ...]
    columns: tuple[str, ...]
    row_labels: tuple[tuple[str, ...], ...]
    cells: tuple[tuple[float | None, ...], ...]

    def row(self, first_label: str) -> tuple[float | None, ...]:
        """The first row whose first label is `first_label`; KeyError if there is none."""
        for labels, cells in zip(self.row_labels, self.cells, strict=True):
            if labels[0] == first_label:
                return cells
        raise KeyError(f"no row {first_label!r} in {self.source}")

    def at(self, labels: tuple[str, ...], column: str) -> float | None:
        """One cell by all labels of its row; None if the paper prints none, or has no such row or column."""
        if labels not in self.row_labels or column not in self.columns:
            return None
        return self.cells[self.row_labels.index(labels)][self.columns.index(column)]

    def cell(self, first_label: str, column: str) -> float | None:
        """One cell, in `unit`; KeyError for an unknown row or column."""
        if column not in self.columns:
            raise KeyError(f"no column {column!r} in {self.source}")
        return self.row(first_label)[self.columns.index(column)]


@functools.cache
def published() -> dict[str, PublishedTable]:
    """All tables by name: "table_1" to "table_10", and "figure_3", "figure_6", "figure_7" (read from pixels)."""
    text = resources.files("rstar_jax.evaluation").joinpath("paper_cells.json").read_text(encoding="utf-8")
    return {name: _table(entry) for name, entry in json.loads(text).items()}


def _table(entry: dict) -> PublishedTable:
    return PublishedTable(
        title=entry["title"],
        source=entry["source"],
        unit=entry["unit"],
        label_names=tuple(entry["labels"]),
        columns=tuple(entry["columns"]),
        row_labels=tuple(tuple(row["labels"]) for row in entry["rows"]),
        cells=tuple(tuple(row["cells"]) for row in entry["rows"]),
    )
