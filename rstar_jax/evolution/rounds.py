"""What a round is (section 3.4.2): a value. The paper's four rounds are four of them."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig


@dataclasses.dataclass(frozen=True)
class Round:
    """Who searches how; what is trained from what is the same in every round.

    number: from 1. proposer: the bootstrap model (round 1), or the policy of the round before. search: its PPM,
    where it needs one, is the one of the round before. trees: per problem, with different seeds. escalation: rollouts
    in all for problems that none of their trees has solved, in ascending order.
    """

    number: int
    proposer: Literal["bootstrap", "policy"]
    search: SearchConfig
    trees: int = 1
    escalation: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        steps = (self.search.rollouts, *self.escalation)
        if list(steps) != sorted(set(steps)):
            raise ValueError(f"escalation {self.escalation} must ascend from {self.search.rollouts} rollouts")

    @property
    def searchers(self) -> str:
        """The models in its search, as the paper's Table 2 names them."""
        if self.proposer == "bootstrap":
            return "bootstrap"
        before = self.number - 1
        return f"SLM-r{before}, PPM-r{before}" if self.search.needs_scorer else f"SLM-r{before}"


def paper_rounds() -> tuple[Round, ...]:
    """The four rounds with the paper's numbers (section 3.4.2, appendix A.1)."""
    return (
        Round(1, "bootstrap", presets.paper(1)),
        Round(2, "policy", presets.paper(2)),
        Round(3, "policy", presets.paper(3)),
        Round(4, "policy", presets.paper(4), trees=2, escalation=(80, 128)),
    )
