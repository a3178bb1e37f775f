"""Which trajectories and steps of a problem's trees became training data.

A run directory has them in `roundN/data`, beside the `roundN/trees` that they were taken from. For trees from elsewhere
they are chosen by the default rules of `datasets.select`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from etils import epath

from rstar_jax.datasets.pairs import pair_rows
from rstar_jax.datasets.sft import sft_rows
from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath, iterate_jsonl
from rstar_jax.search.tree import Tree, path

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Marks:
    """Rows of one problem, as `datasets.sft` and `datasets.pairs` make them. origin: where they are from, in words."""

    origin: str
    sft: Sequence[Row] = ()
    pairs: Sequence[Row] = ()


def find_marks(file: AnyPath, trees: Sequence[Tree]) -> Marks:
    """The marks of one problem's trees, all that `file` has of it. Raises InputError: the run's data are not theirs."""
    data = epath.Path(file).absolute().parent.parent / "data"
    sft, pairs = data / "sft.jsonl", data / "pairs.jsonl"
    if epath.Path(file).absolute().parent.name != "trees" or not (sft.exists() and pairs.exists()):
        origin = "Chosen by the default rules (SftRule, PairRule): the file lies in no run with data of its own."
        return Marks(origin, sft_rows(trees), pair_rows(trees))
    rows = functools.partial(_rows, problem=trees[0].problem.id)
    texts = {(tree.index, node): path(tree, node).steps for tree in trees for node in range(len(tree))}
    return Marks(
        f"Read from this run's {data.parent.name}/data.",
        [_sft_row(where, row, texts) for where, row in rows(sft, fields=_SFT_FIELDS)],
        [_pair_row(where, row, texts) for where, row in rows(pairs, fields=_PAIR_FIELDS)],
    )


_SFT_FIELDS = ("problem", "response", "tree", "nodes", "rank", "mean_q", "min_q", "equal")
_PAIR_FIELDS = (
    *("problem", "kind", "pos", "neg", "pos_tree", "pos_node", "pos_q", "pos_rank"),
    *("neg_tree", "neg_node", "neg_q", "neg_rank"),
)
_Texts = dict[tuple[int, int], tuple[str, ...]]  # tree and node → steps down to it


def _rows(file: epath.Path, problem: str, fields: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """Where each row of a problem stands, and the row."""
    for number, row in iterate_jsonl(file):
        where = f"{file}, line {number}"
        missing = [name for name in fields if not isinstance(row, dict) or name not in row]
        if missing:
            raise InputError(f"{where}: not a row of a run's data, as it has no {missing[0]!r}")
        if row["problem"] == problem:
            yield where, row


def _sft_row(where: str, row: Row, texts: _Texts) -> Row:
    known = all((row["tree"], node) in texts for node in row["nodes"])
    steps = texts[row["tree"], row["nodes"][-1]] if row["nodes"] and known else ()
    return _belonging(where, row, "".join(steps) == row["response"])


def _pair_row(where: str, row: Row, texts: _Texts) -> Row:
    for side in ("pos", "neg"):
        steps = texts.get((row[f"{side}_tree"], row[f"{side}_node"]), ())
        _belonging(where, row, "".join(steps if row["kind"] == "final" else steps[-1:]) == row[side])
    return row


def _belonging(where: str, row: Row, same: bool) -> Row:
    """The row. Raises InputError if its text is not that of its nodes."""
    if not same:
        raise InputError(f"{where}: its text is not that of the trees, so these data were made of other trees")
    return row
