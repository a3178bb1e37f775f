"""All that the page shows of a tree, as a JSON-able value. Nothing in it is HTML; the page shows every text as text.

problem   id, question, answer, level, source
tree      file, index, of (numbers of the problem's trees in the file), seed and totals
settings  fields of `SearchConfig`
nodes     in the order of creation, the root first; values as they are at the end. What is null or empty is left out
backups   [rollout, node, value, reach] in order (`history.Backup`); null if the course of the search cannot be told
best      answer that search would submit after 0, 1, … rollouts (null: none yet); of the end alone without `backups`
best_by   what makes it the best: "PPM score" or "mean Q"
sft, pairs, origin    training data taken from this tree, and where that is known from (`marks.Marks`)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rstar_jax.search.trajectories import best_path, trajectories
from rstar_jax.search.tree import Tree, q, tag
from rstar_jax.view.history import Backup, backups, replay
from rstar_jax.view.labels import labels
from rstar_jax.view.marks import Marks, Row
from rstar_jax.view.refusals import refusals
from rstar_jax.view.steps import step_parts

Document = dict[str, Any]

_TOTALS = ("rollouts", "tokens", "proposals", "executions", "scored")
_AS_THEY_ARE = (
    *("parent", "kind", "visits", "ppm", "first_value", "correct", "answer", "count", "logprob", "n_tokens"),
    *("outcome", "output", "errors", "drawn", "closed", "created_at"),
)


def document(tree: Tree, marks: Marks, file: str = "", indices: Sequence[int] = ()) -> Document:
    """What is shown of `tree`. indices: numbers of all trees of its problem."""
    made = backups(tree)
    totals = {name: getattr(tree, name) for name in _TOTALS}
    return {
        "problem": dict(vars(tree.problem)),
        "tree": {"file": file, "index": tree.index, "of": list(indices or [tree.index]), "seed": tree.seed, **totals},
        "settings": dict(vars(tree.config)),
        "nodes": _nodes(tree),
        "backups": None if made is None else [list(vars(one).values()) for one in made],
        "best": [_best(tree)] if made is None else _best_by_rollout(tree, made),
        "best_by": _best_by(tree),
        "origin": marks.origin,
        "sft": [_sft(row) for row in marks.sft if row["tree"] == tree.index],
        "pairs": [_pair(row) for row in marks.pairs if tree.index in (row["pos_tree"], row["neg_tree"])],
    }


def _nodes(tree: Tree) -> list[dict[str, Any]]:
    columns = zip(labels(tree), step_parts(tree), refusals(tree), strict=True)
    return [
        _present(
            {
                "tag": tag(tree, node),
                "label": label,
                "parts": parts,
                "q": q(tree, node),
                "refused": refused,
                **{name: getattr(tree, name)[node] for name in _AS_THEY_ARE},
            }
        )
        for node, (label, parts, refused) in enumerate(columns)
    ]


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is not there; JSON has no NaN."""
    finite = {name: value for name, value in fields.items() if not isinstance(value, float) or math.isfinite(value)}
    return {name: value for name, value in finite.items() if value not in (None, "", [])}


def _best(tree: Tree) -> int | None:
    found = best_path(tree)
    return None if found is None else found.nodes[-1]


def _best_by_rollout(tree: Tree, made: Sequence[Backup]) -> list[int | None]:
    changed = {one.rollout + 1 for one in made}
    best: list[int | None] = []
    for partial in replay(tree, list(made)):
        best.append(_best(partial) if partial.rollouts in changed or not best else best[-1])
    return best


def _best_by(tree: Tree) -> str | None:
    found = trajectories(tree)
    if not found:
        return None
    return "mean Q" if all(math.isnan(one.ppm) for one in found) else "PPM score"


def _sft(row: Row) -> Row:
    return {name: row[name] for name in ("rank", "nodes", "mean_q", "min_q", "equal")}


def _pair(row: Row) -> Row:
    sides = {side: {name: row[f"{side}_{name}"] for name in ("tree", "node", "q", "rank")} for side in ("pos", "neg")}
    return {"kind": row["kind"], **sides}
