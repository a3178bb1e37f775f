"""Small trees with known values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import ROOT, NewNode, Tree, backup, expand, new_tree

Grow = Callable[..., Tree]


@pytest.fixture
def grow() -> Grow:
    """grow({"a": {"x": True, "y": False}, "b": {"z": False}}): steps by name, answers with their grade.

    Every answer is backed up once, so Q of a step is (right - wrong) / answers below it.
    """

    def make(
        plan: dict, index: int = 0, problem_id: str = "p", source: str = "gsm8k", question: str = "What?"
    ) -> Tree:
        tree = new_tree(Problem(problem_id, question, "1", source=source), SearchConfig(), index=index)

        def add(parent: int, children: dict) -> None:
            for name, below in children.items():
                if isinstance(below, dict):
                    (node,) = expand(tree, parent, [NewNode(f"{name}<end_of_step>", "step")])
                    add(node, below)
                else:
                    text = f"<answer>{name}<end_of_answer>"
                    (node,) = expand(tree, parent, [NewNode(text, "answer", name)])
                    tree.correct[node] = below
                    backup(tree, node, 1.0 if below else -1.0)

        add(ROOT, plan)
        return tree

    return make
