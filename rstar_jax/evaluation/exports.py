"""Tables for other programs: LaTeX to be included in a paper, CSV with one line a number."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.render import footnote, format_value
from rstar_jax.evaluation.tables import Block, Gap, Published, Table, Value

CSV_FIELDS = ("table", "block", "row", "column", "unit", "status", "value", "low", "high", "interval", "marked")
_SPECIAL = re.compile(r"[&%$#_{}~^\\]")
_AS_LATEX = {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
_SYMBOLS = {"−": "$-$", "–": "--", "→": r"$\rightarrow$", "·": r"$\cdot$", "≥": r"$\geq$"}


def latex(table: Table) -> str:
    """A `table` environment for each block; needs the package booktabs. The paper's numbers are italic."""
    parts = [f"% {table.title}; \\usepackage{{booktabs}}"]
    for block in table.blocks:
        head = " & ".join(map(escape, (*block.label_names, *block.columns)))
        body = [
            " & ".join([*map(escape, labels), *(_latex_cell(value, block.unit) for value in values)])
            for labels, values in block.rows
        ]
        columns = "l" * len(block.label_names) + "r" * len(block.columns)
        lines = [r"\begin{table}", r"\centering\small", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
        lines += [head + r" \\", r"\midrule", *(line + r" \\" for line in body), r"\bottomrule", r"\end{tabular}"]
        lines += [rf"\caption{{{escape(f'{table.title}. {block.label}: {footnote(block)}')}}}", r"\end{table}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text as LaTeX prints it."""
    escaped = _SPECIAL.sub(lambda found: _AS_LATEX.get(found[0], "\\" + found[0]), text)
    return "".join(_SYMBOLS.get(letter, letter) for letter in escaped)


def csv_text(tables: Sequence[Table]) -> str:
    """Every cell as a line: where it stands, what it is (measured, published, difference, not run), value and interval.

    Values are in the block's unit: percent, points, tokens.
    """
    out = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(out, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(line for table in tables for block in table.blocks for line in _lines(table, block))
    return out.getvalue()


def _lines(table: Table, block: Block) -> Iterator[dict[str, Any]]:
    for labels, values in block.rows:
        row = " | ".join(filter(None, labels))
        for column, value in zip(block.columns, values, strict=True):
            where = {"table": table.name, "block": block.label, "row": row, "column": column}
            yield where | {"unit": block.unit, **_fields(value, block.unit)}


def _fields(value: Value, unit: str) -> dict[str, Any]:
    scale = 100 if unit in ("%", "points") else 1
    if value is None:
        return {"status": "not run"}
    if isinstance(value, str):
        return {"status": "text", "value": value}
    if isinstance(value, Published):
        return {"status": "published", "value": value.value}
    if isinstance(value, Gap):
        return _fields(value.value, "points") | {"unit": "points", "status": "difference", "marked": value.marked}
    if isinstance(value, Interval):
        low, high = scale * value.low, scale * value.high
        return {"status": "measured", "value": scale * value.estimate, "low": low, "high": high, "interval": value.kind}
    return {"status": "measured", "value": scale * value}


def _latex_cell(value: Value, unit: str) -> str:
    shown = escape(format_value(value, unit))
    return rf"\textit{{{shown}}}" if isinstance(value, Published) and value.value is not None else shown
