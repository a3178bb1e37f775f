"""Held-out data are split by problem: all rows of a question are on one side, in the policy's and the PPM's data alike.

The released training holds out random pairs, so that pairs of one problem are on both sides (upstream item 64).
"""

from __future__ import annotations

import hashlib

from rstar_jax.trajectory.tags import ASSISTANT, USER

_OLDER_LEAD_IN = "Let's write a program."  # stands behind the question in some of the released pairs


def question_of(prompt: str) -> str:
    """The question in a pair's prompt, which may hold steps as well."""
    return prompt.partition(ASSISTANT)[0].removeprefix(f"{USER}:").strip().removesuffix(_OLDER_LEAD_IN).strip()


def is_held_out(question: str, share: float, seed: int = 0) -> bool:
    """Whether a question is among the held-out `share` (0 to 1): a function of its text and the seed alone."""
    digest = hashlib.blake2b(f"{seed}\x1f{question.strip()}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64
