"""The frame around a question that the policy and the PPM read (paper appendix A.3)."""

from __future__ import annotations

import dataclasses

from rstar_jax.trajectory.tags import ASSISTANT, USER

LEAD_IN = "Let's think step by step and solve the problem with code."


@dataclasses.dataclass(frozen=True)
class PromptFrame:
    """How a question becomes a prompt; a response (or a part of one) follows it directly.

    newlines: line breaks between the question and the assistant's mark. Training data have one; the released
        search used two, which its models never saw in training (upstream item 67).
    """

    newlines: int = 1

    def __call__(self, question: str, response: str = "") -> str:
        return f"{USER}:\n{question}" + "\n" * self.newlines + f"{ASSISTANT}: {LEAD_IN}{response}"


PLAIN_FRAME = PromptFrame()
RELEASED_SEARCH_FRAME = PromptFrame(newlines=2)


def policy_prompt(question: str, response: str = "", frame: PromptFrame = PLAIN_FRAME) -> str:
    """The policy's prompt for `question`, with the `response` so far (A.3: no system prompt, no shots)."""
    return frame(question, response)
