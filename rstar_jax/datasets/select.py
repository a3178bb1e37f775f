"""Which trajectories and pairs become training data: a field a choice, and the published sets of choices."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class SftRule:
    """Which correct trajectories of a problem the policy learns (sections 3.4.1, A.1). The defaults are the
    paper's.

    Attributes:
      top: trajectories per problem, the best by mean Q; ties by the smallest Q on the path.
      shortest_first: what is still tied goes to the shorter text, then to the one found first.
      merge_equal: equal texts count once.
      drop_error_word: after the choice, drop texts with the word "error", without a replacement.
      synthetic_sources: `Problem.source` of problems whose answers a model made up and may be wrong.
      min_correct: a synthetic problem with a smaller share of correct trajectories is dropped.
    """

    top: int = 2
    shortest_first: bool = True
    merge_equal: bool = True
    drop_error_word: bool = False
    synthetic_sources: tuple[str, ...] = ("synthetic",)
    min_correct: float = 0.5


@dataclasses.dataclass(frozen=True)
class PairRule:
    """Which preference pairs the PPM learns (section 3.3). The defaults are the paper's.

    Attributes:
      positives, negatives: siblings with the highest and the lowest Q that are paired, each with each.
      against_one: how many of one side are taken when the other side has a single sibling.
      answers_as_steps: whether answers that share their prefix are compared as siblings too. In the paper
        the last step is what final pairs are for.
      min_gap: smallest difference of the two Q; it is always more than zero.
      min_edit_distance: smallest number of edits, in characters, between the two steps.
      better_completion: the best solution through the positive has to have a higher mean Q than the worst one
        through the negative.
      recount: `pos_count` and `neg_count` say what is left after the filters, or what was chosen before them.
      final: pairs of whole solutions, the `positives` correct ones with the highest and the `negatives`
        wrong ones with the lowest mean Q.
      synthetic_sources, min_correct: as in `SftRule`.
    """

    positives: int = 2
    negatives: int = 2
    against_one: int = 2
    answers_as_steps: bool = False
    min_gap: float = 0.0
    min_edit_distance: int = 0
    better_completion: bool = False
    recount: bool = True
    final: bool = True
    synthetic_sources: tuple[str, ...] = ("synthetic",)
    min_correct: float = 0.5


@dataclasses.dataclass(frozen=True)
class OrmRule:
    """Which solutions the outcome reward model compares (A.1, Table 8). The defaults are the paper's.

    Attributes:
      positives, negatives: solutions with the highest and the lowest mean Q that are paired, each with each. None is
        on both sides, so a problem with few solutions gives fewer.
      by_outcome: only correct solutions are positives and only wrong ones negatives, as in the PPM's final pairs. The
        paper goes by mean Q alone.
      synthetic_sources, min_correct: as in `SftRule`.
    """

    positives: int = 2
    negatives: int = 2
    by_outcome: bool = False
    synthetic_sources: tuple[str, ...] = ("synthetic",)
    min_correct: float = 0.5


@dataclasses.dataclass(frozen=True)
class PqmRule:
    """Which solutions the Q-value model learns (A.1, Table 8): all that differ. Fields as in `SftRule`."""

    synthetic_sources: tuple[str, ...] = ("synthetic",)
    min_correct: float = 0.5


PAPER_SFT = SftRule()
RELEASED_SFT = SftRule(shortest_first=False, merge_equal=False, drop_error_word=True, synthetic_sources=())
PAPER_PAIRS = PairRule()
PAPER_ORM = OrmRule()
PAPER_PQM = PqmRule()
RELEASED_PAIRS = PairRule(
    against_one=4,
    answers_as_steps=True,
    min_gap=0.5,
    min_edit_distance=20,
    better_completion=True,
    recount=False,
    final=False,
    synthetic_sources=(),
)
