"""Monte Carlo tree search over code-verified steps (paper section 3.2), one coroutine per tree.

    for each rollout:                     `_rollout`
        walk down by UCT                  `tree.select`    Eq. 1
        at a node without open children:  `growing.grow`, if it may be drawn from (again)
        go on until an answer is met or nothing is open

There is no simulation apart from this: each step of the walk expands, and every answer among the new children
is valued and backed up at once, as in the authors' code.

Step beam search (`SearchConfig.beam`) is entered here too: its turns are the levels of `beam`, not rollouts.
Batching, caching and processes are behind the protocols.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from rstar_jax.problems.problem import Problem
from rstar_jax.search import beam
from rstar_jax.search.answers import Extract, extractor
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.growing import Tools, grow
from rstar_jax.search.protocols import Executor, Grader, Proposer, Scorer
from rstar_jax.search.trajectories import n_correct
from rstar_jax.search.tree import ROOT, Tree, close, exhausted, may_draw, new_tree, select

OnRollout = Callable[[Tree], None]


async def search(
    problem: Problem,
    config: SearchConfig,
    proposer: Proposer,
    executor: Executor,
    grader: Grader | None = None,
    scorer: Scorer | None = None,
    seed: int = 0,
    tree_index: int = 0,
    on_rollout: OnRollout | None = None,
    extract: Extract | None = None,
) -> Tree:
    """Grow one tree: of `config.rollouts` rollouts, or of the levels of a beam if `config.beam` is set.

    A grader is needed where answers are valued by ground truth, a scorer where the PPM takes part (ValueError
    otherwise). A grader that is given at test time labels the answers, without any influence on the search.
    `on_rollout` sees the tree after each rollout or level; `extract` reads the final answer of a step, by default as
    `config.reading` says.
    """
    tools = _tools(config, proposer, executor, grader, scorer, extract)
    return await _go_on(new_tree(problem, config, seed, tree_index), tools, on_rollout)


async def extend(
    tree: Tree,
    more_rollouts: int,
    proposer: Proposer,
    executor: Executor,
    grader: Grader | None = None,
    scorer: Scorer | None = None,
    on_rollout: OnRollout | None = None,
    extract: Extract | None = None,
) -> Tree:
    """Go on with a tree, as round 4 does: 16 rollouts, then 64 more (section 3.4.2).

    The tree is changed in place and returned: it is what one search of all the rollouts would have grown. A beam
    has no rollouts, so its tree is refused (ValueError).
    """
    if tree.config.beam is not None:
        raise ValueError("a tree of a beam search has no rollouts, so it cannot be extended by more of them")
    tools = _tools(tree.config, proposer, executor, grader, scorer, extract)
    tree.config = dataclasses.replace(tree.config, rollouts=tree.config.rollouts + more_rollouts)
    return await _go_on(tree, tools, on_rollout)


def _tools(
    config: SearchConfig,
    proposer: Proposer,
    executor: Executor,
    grader: Grader | None,
    scorer: Scorer | None,
    extract: Extract | None,
) -> Tools:
    if config.needs_grader and grader is None:
        raise ValueError("answers are valued by ground truth, so search needs a grader")
    if config.needs_scorer and scorer is None:
        raise ValueError("the PPM takes part in this search, so it needs a scorer")
    return Tools(proposer, executor, grader, scorer, extract or extractor(config.reading))


async def _go_on(tree: Tree, tools: Tools, on_rollout: OnRollout | None) -> Tree:
    turn = _rollout if tree.config.beam is None else beam.level
    while not _finished(tree):
        await turn(tree, tools)
        tree.rollouts += 1
        if on_rollout is not None:
            on_rollout(tree)
    return tree


def _finished(tree: Tree) -> bool:
    config = tree.config
    if config.beam is None:
        over = tree.rollouts >= config.rollouts or (config.stop_finished and tree.closed[ROOT])
    else:
        over = not beam.open_steps(tree)
    return (
        over
        or (config.stop_solved is not None and n_correct(tree) >= config.stop_solved)
        or (config.stop_tokens is not None and tree.tokens >= config.stop_tokens)
    )


async def _rollout(tree: Tree, tools: Tools) -> None:
    """One walk from the root, expanding on its way, until an answer is met or no child is open."""
    node = ROOT
    for _ in range(_walk_length(tree)):
        if tree.closed[node]:
            return
        chosen = select(tree, node)
        if chosen is None and may_draw(tree, node):
            await grow(tree, [node], tools)
            chosen = select(tree, node)
        if chosen is None:
            if exhausted(tree, node) and not tree.closed[node]:
                close(tree, node)
            return
        node = chosen


def _walk_length(tree: Tree) -> int:
    """Nodes that a rollout handles at most.

    Under the "strict" rule steps at `max_depth` are closed, so this is no limit. The released loop handles
    `max_depth` nodes, and leaves the root out of the count when it has children already (item 6).
    """
    return tree.config.max_depth + (tree.config.depth_rule == "strict" or bool(tree.children[ROOT]))
