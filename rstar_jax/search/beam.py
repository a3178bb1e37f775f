"""Step beam search: the tree grows level by level, and only the steps that the PPM scores best are grown on.

    for each level:                       `level`
        expand all open steps             `growing.grow`, together
        keep the best new steps           by the PPM's score of the step, as many as `SearchConfig.beam`
        close the others

It ends when no step is open, which `SearchConfig.max_depth` sees to. The tree is an ordinary one. Steps that were left
out stay in it with their scores, closed and never drawn from. Its `rollouts` are levels, numbered from 0 in
`created_at`, so that a node's level is the depth of its parent.

A finished answer is scored, stays in the tree as a solution and frees its slot: open steps are ranked among
themselves, and the beam stays as wide as it was. It is so in the beam search of Beeching, Tunstall and Rush ("Scaling
test-time compute with open models", 2024, their search-and-learn), which also ends once it has as many answers as a
level has proposals; here only open steps count. In the released code every answer narrows the beam for good, and
worse (item 11): answers are taken out of the beam, but the list that is then cut to its width still has them, and what
other steps proposed is attached to them. Here open steps are taken first, then the best of them, and what a step
proposed becomes its child.
"""

from __future__ import annotations

from collections.abc import Sequence

from rstar_jax.search.growing import Tools, grow
from rstar_jax.search.tree import Tree, close


async def level(tree: Tree, tools: Tools) -> None:
    """Grow all open steps, then close all new ones but the best."""
    await grow(tree, open_steps(tree), tools)
    new = open_steps(tree)
    kept = best(tree, new)
    for node in new:
        if node not in kept:
            close(tree, node)


def open_steps(tree: Tree) -> list[int]:
    """Nodes that wait to be expanded, in the order of their creation; at first the root."""
    return [node for node in range(len(tree)) if not tree.closed[node] and not tree.drawn[node]]


def best(tree: Tree, steps: Sequence[int]) -> list[int]:
    """The `SearchConfig.beam` steps with the highest PPM scores, best first; of equals the first."""
    return sorted(steps, key=lambda node: tree.ppm[node], reverse=True)[: tree.config.beam]
