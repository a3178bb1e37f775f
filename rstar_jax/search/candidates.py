"""From proposals to candidates: which are kept, which are merged or refused, and why (upstream items 7-9)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Proposal
from rstar_jax.search.tree import Refusal
from rstar_jax.trajectory.steps import split_closing
from rstar_jax.trajectory.tags import END_OF_ANSWER


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A proposal that is worth running, and how many equal ones it stands for."""

    proposal: Proposal
    count: int = 1
    cut: bool = False  # by a length limit, and to be kept as an over-long leaf

    @property
    def text(self) -> str:
        return self.proposal.text


def keep(proposals: Sequence[Proposal], config: SearchConfig) -> tuple[list[Candidate], list[tuple[Proposal, Refusal]]]:
    """The candidates in sampling order, and the proposals that were merged or refused."""
    refused: list[tuple[Proposal, Refusal]] = []
    whole = list(proposals)
    if config.incomplete != "keep":
        whole = []
        for proposal in proposals:
            reason = _incomplete(proposal)
            if reason is None or (reason == "cut" and config.incomplete == "leaf"):
                whole.append(proposal)
            else:
                refused.append((proposal, reason))
    kept, duplicates = _merge_equal(whole, config)
    refused.extend((proposal, "duplicate") for proposal in duplicates)
    if config.dedup == "released":
        answers = [one for one in kept if _is_finished_answer(one.proposal)]
        if answers:
            refused.extend((one.proposal, "beside_answer") for one in kept if one is not answers[0])
            kept = answers[:1]
    return kept, refused


def _incomplete(proposal: Proposal) -> Refusal | None:
    if not _body(proposal).strip():
        return "empty"
    return None if proposal.finish == "stop" else "cut"


def _merge_equal(proposals: list[Proposal], config: SearchConfig) -> tuple[list[Candidate], list[Proposal]]:
    groups: dict[tuple[str, bool], list[Proposal]] = {}
    for one in proposals:
        same = (_body(one), True) if config.dedup == "released" else (one.text, one.finish == "stop")
        groups.setdefault(same, []).append(one)
    kept = []
    for group in groups.values():
        cut = config.incomplete == "leaf" and group[0].finish != "stop"
        kept.append(Candidate(group[0], len(group), cut))
    return kept, [one for group in groups.values() for one in group[1:]]


def _body(proposal: Proposal) -> str:
    """The generated text before the stop string."""
    return split_closing(proposal.text)[0] if proposal.finish == "stop" else proposal.text


def _is_finished_answer(proposal: Proposal) -> bool:
    return proposal.finish == "stop" and proposal.text.endswith(END_OF_ANSWER)
