"""Tables as text: Markdown for files, aligned columns for terminals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.tables import Block, Gap, Published, Table, Value

NOT_RUN = "not run"


def markdown(tables: Sequence[Table]) -> str:
    """All tables as GitHub Markdown."""
    parts = []
    for table in tables:
        parts.append(f"## {table.title}\n")
        for block in table.blocks:
            header, *body = grid(block, "*")
            lines = [header, ["---"] * len(header), *body]
            parts.append(f"**{block.label}**: {footnote(block)}\n")
            parts.append("".join("| " + " | ".join(_escape(c) for c in line) + " |\n" for line in lines))
    return "\n".join(parts)


def text(tables: Sequence[Table]) -> str:
    """All tables for a terminal, in aligned columns."""
    parts = []
    for table in tables:
        parts.append(f"{table.title}\n{'=' * len(table.title)}")
        for block in table.blocks:
            cells = grid(block)
            widths = [max(len(line[c]) for line in cells) for c in range(len(cells[0]))]
            n_labels = len(block.label_names)
            lines = ["  ".join(_pad(line, widths, n_labels)).rstrip() for line in cells]
            lines.insert(1, "-" * max(map(len, lines)))
            parts.append("\n".join([f"{block.label}: {footnote(block)}", *lines]) + "\n")
    return "\n".join(parts)


def format_value(value: Value, unit: str) -> str:
    """`acc [lo, hi]` in percent (points: with sign), a whole number of tokens, or "not run"."""
    if value is None:
        return NOT_RUN
    if isinstance(value, str):
        return value
    if isinstance(value, Published):
        return "–" if value.value is None else number(value.value)
    if isinstance(value, Gap):
        return format_value(value.value, "points") + ("*" if value.marked else "")
    sign = "+" if unit == "points" else ""
    if isinstance(value, Interval):
        return f"{100 * value.estimate:{sign}.1f} [{100 * value.low:{sign}.1f}, {100 * value.high:{sign}.1f}]"
    if unit in ("%", "points"):
        return f"{100 * value:{sign}.1f}"
    return f"{value:.0f}" if unit == "tokens" or value >= 100 else f"{value:.3g}"


def number(value: float) -> str:
    """A number of the paper: with a decimal as percentages have, without for counts."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.2f}".rstrip("0").ljust(len(f"{value:.1f}"), "0")


def grid(block: Block, emphasis: str = "") -> list[list[str]]:
    """The header and the rows as text; numbers of the paper between marks of emphasis."""
    header = [*block.label_names, *block.columns]
    return [header, *([*labels, *(_cell(v, block.unit, emphasis) for v in values)] for labels, values in block.rows)]


def _cell(value: Value, unit: str, emphasis: str) -> str:
    shown = format_value(value, unit)
    return f"{emphasis}{shown}{emphasis}" if isinstance(value, Published) and value.value is not None else shown


def footnote(block: Block) -> str:
    """The unit, what the brackets are, and the block's note."""
    kinds = list(dict.fromkeys(value.kind for value in _intervals(block)))
    brackets = f"[low, high]: {' or '.join(kinds)}" if kinds else ""
    return "; ".join(part for part in (block.unit, brackets, block.note) if part)


def _intervals(block: Block) -> Iterator[Interval]:
    inner = (value.value if isinstance(value, Gap) else value for _, values in block.rows for value in values)
    return (value for value in inner if isinstance(value, Interval))


def _pad(line: Sequence[str], widths: Sequence[int], n_labels: int) -> Iterator[str]:
    """Labels to the left, numbers to the right."""
    for c, (cell, width) in enumerate(zip(line, widths, strict=True)):
        yield cell.ljust(width) if c < n_labels else cell.rjust(width)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")
