"""What a round is (section 3.4.2): a value. The paper's four rounds are four of them."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rstar_jax.search import presets
from rstar_jax.search.budget import Budget
from rstar_jax.search.config import SearchConfig


@dataclasses.dataclass(frozen=True)
class Round:
    """Who searches how; what is trained from what is the same in every round.

    number: from 1. proposer: the bootstrap model (round 1), the policy of the round before, or "none": the round has
    the data and the PPM of another run, and only trains a policy (section 4.1, the other base models). search: its PPM,
    where it needs one, is the one of the round before. trees: per problem, with different seeds. escalation: rollouts
    in all for problems that none of their trees has solved, in ascending order. more_trees: further trees, one after
    the other, for problems that are unsolved then (section 3.4.1: "hard" problems are searched once more). stop_solved:
    leave out a problem's remaining trees as soon as one has solved it. budget: when the round leaves the rest of the
    problems out.
    """

    number: int
    proposer: Literal["bootstrap", "policy", "none"]
    search: SearchConfig
    trees: int = 1
    escalation: tuple[int, ...] = ()
    more_trees: int = 0
    stop_solved: bool = False
    budget: Budget = Budget()

    def __post_init__(self) -> None:
        steps = (self.search.rollouts, *self.escalation)
        if self.trees < 1 or self.more_trees < 0:
            raise ValueError(f"a problem cannot have {self.trees} trees and {self.more_trees} more")
        if list(steps) != sorted(set(steps)):
            raise ValueError(f"escalation {self.escalation} must ascend from {self.search.rollouts} rollouts")

    @property
    def searchers(self) -> str:
        """The models in its search, as the paper's Table 2 names them."""
        if self.proposer != "policy":
            return {"bootstrap": "bootstrap", "none": "another run"}[self.proposer]
        before = self.number - 1
        return f"SLM-r{before}, PPM-r{before}" if self.search.needs_scorer else f"SLM-r{before}"


def paper_rounds() -> tuple[Round, ...]:
    """The four rounds with the paper's numbers (sections 3.4.1, 3.4.2, appendix A.1).

    The second search of unsolved problems is described for all rounds; in round 4 it is what the second tree and the
    escalation are. Round 1 has 8 rollouts, and so has its second search.
    """
    return (
        Round(1, "bootstrap", presets.paper(1), more_trees=1),
        Round(2, "policy", presets.paper(2), more_trees=1),
        Round(3, "policy", presets.paper(3), more_trees=1),
        Round(4, "policy", presets.paper(4), trees=2, escalation=(80, 128)),
    )
