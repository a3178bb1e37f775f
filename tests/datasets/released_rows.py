"""Rows in the released formats, small and many."""

from __future__ import annotations

import random
from typing import Any

LEAD_IN = "\n<|assistant|>: Let's think step by step and solve the problem with code."


def sft_row(number: int) -> dict[str, Any]:
    rng = random.Random(number)
    steps = "".join(
        f"# Step {step}\nx{step} = {rng.randrange(10**9)} + {rng.randrange(10**9)}\n<end_of_step>\n\n"
        for step in range(rng.randrange(2, 8))
    )
    return {
        "query": f"Problem {number // 2}: what is the sum √ 😀?",  # two solutions a problem
        "response": f"<code>\n{steps}print(x1)\n<end_of_code>\n<output>{number}<end_of_output>\n"
        f"<answer>\\boxed{{{number}}}<end_of_answer>",
    }


def pair_row(number: int) -> dict[str, Any]:
    """Four pairs a prompt: two better steps, each with two worse ones."""
    group, better, worse = number // 4, number // 2 % 2, number % 2
    return {
        "prompt": f"<|user|>:\nProblem {group}?{LEAD_IN}<code>\n# Step 1: think about {group}\n<end_of_step>",
        "pos": f"\n\n# Step 2: good {better}\n<end_of_step>",
        "neg": f"\n\n# Step 2: bad {worse} {'x' * (group % 7)}\n<end_of_step>",
        "pos_count": 2,
        "neg_count": 2,
    }
