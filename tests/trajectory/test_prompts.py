"""The frame around a question."""

from __future__ import annotations

from rstar_jax.trajectory.prompts import RELEASED_SEARCH_FRAME, PromptFrame, policy_prompt


def test_frame():
    lead_in = "<|assistant|>: Let's think step by step and solve the problem with code."
    assert policy_prompt("What?") == f"<|user|>:\nWhat?\n{lead_in}"
    assert policy_prompt("What?", "<code>\n") == f"<|user|>:\nWhat?\n{lead_in}<code>\n"
    assert policy_prompt("What?", frame=RELEASED_SEARCH_FRAME) == f"<|user|>:\nWhat?\n\n{lead_in}"
    assert PromptFrame() == PromptFrame(newlines=1)
