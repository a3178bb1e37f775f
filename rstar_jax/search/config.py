"""Every choice that search makes, one field each. `presets.py` names the published sets of them, and ours."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Literal

from rstar_jax.trajectory.steps import Reading


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Settings of the search that grows one tree. Item numbers are those of our notes on the released code's
    semantics, which the golden trees decide.

    Method
        beam: None: Monte Carlo tree search; else step beam search that keeps so many steps at each depth (`beam`).
            It needs the PPM's scores of steps and answers. `rollouts`, all of "Selection", `exhausted` and
            `stop_finished` then mean nothing.

    Size
        rollouts: walks from the root to a leaf (paper section 3.4, A.1).
        candidates: proposals drawn at an expansion (A.1).
        answer_candidates: proposals drawn right after an output, where nearly every proposal is an answer and
            most of them are equal (item 8); None: as many as elsewhere.
        expansions: times that candidates are drawn at a node, not right after an output: when nothing is open below
            it and some candidate came only once or failed, it is drawn from again, and what is new becomes
            further children. (The share of candidates that came once estimates the probability of what never
            came: Good 1953.) 1: once, as published.
        max_depth: deepest allowed node; the root has depth 0 (A.1: 16).
        depth_rule: "strict": a step at `max_depth` that is no answer ends its path. "released" (item 6): only
            steps below `max_depth` end theirs, and a rollout handles `max_depth` nodes, the root not counted
            once it has children; so the first rollout reaches `max_depth`, and later ones one more.

    Selection
        c_puct: exploration constant c of Eq. 1.
        unvisited: score of a child that was never visited, where Eq. 1 divides by zero (item 1). "zero": 0,
            without exploration (released); "inf": before all visited ones; "parent": the parent's Q, "prior":
            the child's PPM value or else the parent's Q, both with the exploration of one visit.
        exploration: "uct": c * sqrt(ln N_parent / N(s)) (Eq. 1); "puct": c * P(s) * sqrt(N_parent) / (1 + N(s)), where
            P(s) is the share of the proposals that were this candidate (AlphaZero's rule; the policy's own prior, which
            de-duplication otherwise throws away).
        ties: among equal scores the first child (released, item 2), one drawn by the seed, or the one that
            the policy proposed most often ("count", then first).

    Candidates
        dedup: "distinct": equal candidates are merged and counted. "released" (item 7): texts are compared
            without their closing tag, and if any candidate is a finished answer, only the first such is kept.
        incomplete: generations that are empty or were cut by a length limit (item 9): "keep" them as ordinary
            steps (released), "drop" them, or end their path in an over-long "leaf" (empty ones are dropped
            then).
        merge_states: candidates of one expansion whose programs leave equal states and outputs become one child,
            the first, with their counts summed. Needs an executor that names states (`ExecutorConfig.states`).
        reading: how step texts are read, see `trajectory.steps`.

    Failures
        errors: a step whose code fails is refused ("discard", section 3.2), or kept as a "leaf" of negative
            reward (released).
        errors_threshold: consecutive failing steps that make a failure; fewer are ordinary steps (released: 1
            in sampling, 2 in bootstrap, 3 for the greedy pass; item 23).
        failure_backup: who learns of a failed leaf (code error, too many steps, over-long, no child at all):
            the leaf itself ("self", released, item 4) or all its ancestors too ("root").

    Values
        prior: what the PPM value of a new inner node starts. "none": no PPM, q starts at 0 (Eq. 2). "visit":
            one visit with this value, not passed to ancestors (released, item 3). "initial": q starts there,
            no visit (Eq. 3 to the letter; Q may then leave [-1, 1]). "propagated": one visit, passed to the
            root.
        terminal: what an answer is worth: "truth" by the grader (data generation), or its "ppm" score (test).
        positive_reward, negative_reward: for right answers; for wrong ones and failures.

    End
        exhausted: when a node with no open child is closed: "lazy", when a rollout runs into it (released,
            item 5), or "at_once", with all ancestors that are exhausted by this.
        stop_finished: end when the root is closed; further rollouts could change nothing.
        stop_solved: end after this many right answers (item 14); None: never.
        stop_tokens: begin no rollout after this many generated tokens; None: no limit.
    """

    beam: int | None = None

    rollouts: int = 16
    candidates: int = 8
    answer_candidates: int | None = None
    expansions: int = 1
    max_depth: int = 16
    depth_rule: Literal["strict", "released"] = "strict"

    c_puct: float = 2.0
    unvisited: Literal["zero", "inf", "parent", "prior"] = "inf"
    exploration: Literal["uct", "puct"] = "uct"
    ties: Literal["first", "random", "count"] = "first"

    dedup: Literal["distinct", "released"] = "distinct"
    incomplete: Literal["keep", "drop", "leaf"] = "leaf"
    merge_states: bool = False
    reading: Reading = "plain"

    errors: Literal["discard", "leaf"] = "discard"
    errors_threshold: int = 1
    failure_backup: Literal["self", "root"] = "self"

    prior: Literal["none", "visit", "initial", "propagated"] = "none"
    terminal: Literal["truth", "ppm"] = "truth"
    positive_reward: float = 1.0
    negative_reward: float = -1.0

    exhausted: Literal["lazy", "at_once"] = "at_once"
    stop_finished: bool = True
    stop_solved: int | None = None
    stop_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("rollouts", "candidates", "expansions", "max_depth", "errors_threshold"):
            if getattr(self, name) < 1:
                raise ValueError(f"SearchConfig.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("beam", "answer_candidates", "stop_solved", "stop_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"SearchConfig.{name} must be None or at least 1, not {value}")
        if self.beam is not None and (self.terminal != "ppm" or self.prior == "none"):
            raise ValueError(
                "SearchConfig.beam keeps steps by their PPM scores: terminal must be 'ppm' and prior not 'none'"
            )
        if self.beam is not None and self.expansions != 1:
            raise ValueError(f"SearchConfig.beam draws at a step once: expansions must be 1, not {self.expansions}")

    @property
    def needs_scorer(self) -> bool:
        return self.prior != "none" or self.terminal == "ppm"

    @property
    def needs_grader(self) -> bool:
        return self.terminal == "truth"

    def hash(self) -> str:
        """16 hex digits that name these settings."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
