"""The published Monte Carlo searches, and ours; step beams, which cost less.

`paper` follows the paper's text, `released` the authors' code (microsoft/rStar, branch rStar-math, commit
b3c1846), `default` is what we think best. Item numbers refer to the released code's semantics, as in
`config.SearchConfig`.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from rstar_jax.search.config import SearchConfig

Mode = Literal["bootstrap", "sample", "eval"]


def paper(round: Literal[1, 2, 3, 4, "test"]) -> SearchConfig:
    """The paper's search (sections 3.2, 3.4.1, 3.4.2, 4.1, A.1).

    Rounds 1 and 2 are terminal-guided (Eq. 2), rounds 3 and 4 PPM-augmented (Eq. 3); answers are scored by
    ground truth in all of them and by the PPM at test time. Rollouts x candidates: 8 x 5, 16 x 8, 16 x 8, 16
    x 16, and 4 x 32 at test time. In round 4 unsolved problems go on to 80 and 128 rollouts with
    `mcts.extend`, and each has two trees (`tree_index`). Steps whose code fails are refused. c = 2, depth 16.

    Where the text leaves a choice: an unvisited child comes first (Eq. 1 is infinite there); the first of
    equals wins; Eq. 3's initial value counts as one visit, which keeps Q within [-1, 1] and is what the
    authors' code does.
    """
    sizes = {1: (8, 5), 2: (16, 8), 3: (16, 8), 4: (16, 16), "test": (4, 32)}
    if round not in sizes:
        raise ValueError(f"the paper has rounds 1, 2, 3, 4 and 'test', not {round!r}")
    rollouts, candidates = sizes[round]
    return SearchConfig(
        rollouts=rollouts,
        candidates=candidates,
        prior="none" if round in (1, 2) else "visit",
        terminal="ppm" if round == "test" else "truth",
    )


def released(mode: Mode) -> SearchConfig:
    """The authors' code, semantics bug for bug; it replays the golden trees node for node.

    bootstrap: sample_mcts.yaml (48 rollouts, 12 candidates, terminal-guided, two consecutive code errors end
    a path); sample: sft_sample_mcts.yaml (the same size, PPM-augmented, one error); eval: sft_eval_mcts.yaml
    (12 rollouts, 32 candidates, answers scored by the PPM). Use it with an executor and an answer extraction
    of released semantics.
    """
    if mode not in ("bootstrap", "sample", "eval"):
        raise ValueError(f"the released code has modes 'bootstrap', 'sample' and 'eval', not {mode!r}")
    return SearchConfig(
        rollouts=12 if mode == "eval" else 48,
        candidates=32 if mode == "eval" else 12,
        depth_rule="released",
        unvisited="zero",
        ties="first",
        dedup="released",
        incomplete="keep",
        reading="released",
        errors="leaf",
        errors_threshold=2 if mode == "bootstrap" else 1,
        failure_backup="self",
        prior="none" if mode == "bootstrap" else "visit",
        terminal="ppm" if mode == "eval" else "truth",
        exhausted="lazy",
    )


def default(mode: Mode) -> SearchConfig:
    """What we think best; sizes as in the paper's rounds 2 (bootstrap), 3 (sample) and test (eval).

    It differs from both published searches where they lose work or information:

    * A child that was never visited comes first, the most often proposed one before the others. The released
      code gives it 0, so of 12 children of a root 1.5 to 2.9 were ever visited in 48 rollouts, and a toy
      problem with a 5 % policy was solved in .40 instead of .53 of the trees (item 1). Multiplicity is the
      policy's own prior, which de-duplication otherwise throws away (item 8). With a PPM every child starts
      with one visit, so the PPM is the guide there; exploration is weighted by the same prior ("puct"), since a
      PPM of an early round sends an unweighted search away from what the policy is sure of.
    * An exhausted node is closed at once, with its ancestors, and a finished tree stops. The released code
      finds out by walking there, and loses that rollout: 32 of 48 on narrow trees (item 5).
    * All distinct steps and answers of an expansion are kept, with counts (item 7): the released code drops
      every other candidate beside an answer, which hides from Q how uncertain the answer is.
    * After an output nearly all proposals are the same answer, so four are drawn instead of 32 (item 8).
    * Code errors are refused and a path without any working candidate ends with -1 that its ancestors learn
      of, so search does not pay for the same area again (item 4).
    * Length-cut generations end their path explicitly; they never become ordinary steps (items 9, 10).
    * Steps are read by tags and success by exit status, not by the words "boxed" and "error" (items 22-24).
    """
    rounds: dict[Mode, Literal[2, 3, "test"]] = {"bootstrap": 2, "sample": 3, "eval": "test"}
    if mode not in rounds:
        raise ValueError(f"modes are 'bootstrap', 'sample' and 'eval', not {mode!r}")
    base = paper(rounds[mode])
    return SearchConfig(
        rollouts=base.rollouts,
        candidates=base.candidates,
        answer_candidates=min(4, base.candidates),
        exploration="uct" if mode == "bootstrap" else "puct",
        ties="count",
        errors="discard",
        failure_backup="root",
        prior=base.prior,
        terminal=base.terminal,
    )


def beam(width: int = 8, candidates: int = 8) -> SearchConfig:
    """Step beam search (`search.beam`), the released README's faster choice at test time "with a slight accuracy
    trade-off".

    Sizes as in its config, sft_eval_bs.yaml: 8 beams, 8 candidates a step, depth 16, one code error ends a path. In all
    else it is `default("eval")`, so the released code's defects (items 7, 9, 11, 13) are not copied.
    """
    base = default("eval")
    few = min(base.answer_candidates or candidates, candidates)
    return dataclasses.replace(base, beam=width, candidates=candidates, answer_candidates=few)


def dvts(candidates: int = 4) -> SearchConfig:
    """One subtree of diverse verifier tree search (Beeching, Tunstall and Rush, "Scaling test-time compute with open
    models", 2024): of `candidates` steps (their M; 4 in their recipes) only the best is grown on.

    For N solutions they grow N / M subtrees independently, which is what makes them differ; here that is as many trees
    of a problem with different `tree_index`. Theirs ends when its best candidate is an answer, ours when no step is
    open: that differs only where a step is proposed beside an answer.
    """
    return beam(1, candidates)
