"""Trees to training files, one pass, one problem in memory at a time.

sft.jsonl        rows for the policy
pairs.jsonl      rows for the PPM
selection.jsonl  a row a problem: what was found, and why it gave what it gave
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from etils import epath

from rstar_jax.datasets.outcomes import Outcome, outcome
from rstar_jax.datasets.pairs import pair_rows
from rstar_jax.datasets.select import PAPER_PAIRS, PAPER_SFT, PairRule, SftRule
from rstar_jax.datasets.sft import sft_rows
from rstar_jax.files import AnyPath, atomic_write
from rstar_jax.search.tree import Tree

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a build came to."""

    problems: int = 0
    solved: int = 0  # problems with a correct trajectory
    mixed: int = 0  # problems with correct and wrong ones
    sft_rows: int = 0
    pair_rows: int = 0


def build(
    problems: Iterable[Sequence[Tree]],
    folder: AnyPath,
    sft_rule: SftRule = PAPER_SFT,
    pair_rule: PairRule = PAPER_PAIRS,
) -> Counts:
    """Write the three files from the trees of each problem (`outcomes.by_problem` groups trees)."""
    folder, counts = epath.Path(folder), Counts()
    with (
        atomic_write(folder / "sft.jsonl") as sft_file,
        atomic_write(folder / "pairs.jsonl") as pairs_file,
        atomic_write(folder / "selection.jsonl") as selection_file,
    ):
        for trees in problems:
            found, sft, pairs = outcome(trees), sft_rows(trees, sft_rule), pair_rows(trees, pair_rule)
            for file, rows in ((sft_file, sft), (pairs_file, pairs)):
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            row = _selection(found, sft, pairs, sft_rule, pair_rule)
            selection_file.write(json.dumps(row, ensure_ascii=False) + "\n")
            counts = Counts(
                counts.problems + 1,
                counts.solved + bool(found.correct),
                counts.mixed + found.is_mixed,
                counts.sft_rows + len(sft),
                counts.pair_rows + len(pairs),
            )
    return counts


def _selection(
    found: Outcome, sft: Sequence[Row], pairs: Sequence[Row], sft_rule: SftRule, pair_rule: PairRule
) -> Row:
    return {
        "problem": found.problem.id,
        "correct": len(found.correct),
        "wrong": len(found.wrong),
        "sft_rows": len(sft),
        "sft_why": _sft_reason(found, sft, sft_rule),
        "step_pairs": sum(row["kind"] == "step" for row in pairs),
        "final_pairs": sum(row["kind"] == "final" for row in pairs),
        "pairs_why": _pairs_reason(found, pairs, pair_rule),
    }


def _sft_reason(found: Outcome, rows: Sequence[Row], rule: SftRule) -> str:
    if not found.correct:
        return "no correct trajectory"
    if found.is_doubtful(rule.synthetic_sources, rule.min_correct):
        return f"synthetic, and fewer than {rule.min_correct:.0%} of its trajectories are correct"
    if not rows:
        return 'the chosen trajectories hold the word "error"'
    return f"{len(rows)} of {len(found.correct)} correct trajectories, the best by mean Q"


def _pairs_reason(found: Outcome, rows: Sequence[Row], rule: PairRule) -> str:
    if not found.is_mixed:
        only = "correct" if found.correct else "wrong"
        return f"only {only} trajectories" if found.correct or found.wrong else "no trajectory"
    if found.is_doubtful(rule.synthetic_sources, rule.min_correct):
        return f"synthetic, and fewer than {rule.min_correct:.0%} of its trajectories are correct"
    return "mixed outcomes" if rows else "mixed outcomes, but no two steps pass the filters"
