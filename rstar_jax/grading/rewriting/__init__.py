r"""Labelled pairs of any gold answer: texts that mean the same, and near misses, each right by construction.

Every rule reads a gold by patterns of its own and only if it is certain what the gold is; then it computes exactly.
Rules and grader share no code. Two things do depend on the same library (mpmath): the digits of irrational numbers
here, and the comparison of irrational numbers there. Rules that read nothing (`wrapping`) trust the label rules alone.

A rewriting is labelled by the rules of the grading notes: value counts, form does not; decimals by rule 2; factors of
100 only for a gold with a percent sign; units may be left out; lists and sets have no order, tuples and intervals have.
Where those rules leave a case open (four or five digits, `[1,2]` for `(1,2)`, no base for a base) nothing is yielded.
"""

from __future__ import annotations

from rstar_jax.grading.pairs import Pair
from rstar_jax.grading.rewriting import constants, equations, marks, powers, ranges, several, sums, words, wrapping

RULES = (sums, constants, several, ranges, equations, marks, powers, words, wrapping)


def labelled_pairs(gold: str) -> list[Pair]:
    """All rewritings and near misses of a gold, each prediction once. ValueError if two rules contradict each other."""
    found: dict[str, Pair] = {}
    for module in RULES:
        for pred, match, kind in module.rule(gold):
            known = found.setdefault(pred, Pair(gold, pred, match, kind))
            if known.match != match:
                raise ValueError(f"{pred!r} for {gold!r} is labelled {known.match} ({known.kind}) and {match} ({kind})")
    return list(found.values())


__all__ = ["RULES", "labelled_pairs"]
