"""What a tree was after each rollout, told from the finished tree.

A tree keeps its visits and values as they are at the end. But every value that was ever backed up comes from a node
that the tree still has: an answer or a failure when it was found, a prior when the PPM saw the node, a dead end when
nothing that was drawn there worked (`search.mcts`). So the backups can be made again, in their order. Whether they
come to what the tree says is checked: a tree of another search may have had others.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Literal

from rstar_jax.search.tree import FAILED_KINDS, NO_PARENT, ROOT, Tree, backup, may_draw

Reach = Literal["node", "root", "initial"]  # a visit of the node alone, of its ancestors too; a first value, no visit


@dataclasses.dataclass(frozen=True)
class Backup:
    """A value that a node was given, and who else learned of it. rollout: from 0."""

    rollout: int
    node: int
    value: float
    reach: Reach


def backups(tree: Tree) -> list[Backup] | None:
    """All backups of a tree in their order; None if they do not come to its visits and values."""
    nodes = range(len(tree))
    found = [Backup(tree.created_at[node], node, *made) for node in nodes if (made := _at_creation(tree, node))]
    found += _dead_ends(tree)
    found.sort(key=lambda one: one.rollout)  # stable: a dead end is the end of its rollout
    return found if _come_to(tree, found) else None


def replay(tree: Tree, made: list[Backup]) -> Iterator[Tree]:
    """The tree after 0, 1, … rollouts: its nodes, visits and values as of then, all else as at the end.

    It is the same object each time, so copy what is to be kept.
    """
    partial = dataclasses.replace(tree, **{name: [] for name in _lists(tree)}, rollouts=0)
    _append(partial, tree)
    yield partial
    groups = {rollout: list(group) for rollout, group in itertools.groupby(made, key=lambda one: one.rollout)}
    for rollout in range(tree.rollouts):
        while len(partial) < len(tree) and tree.created_at[len(partial)] <= rollout:
            _append(partial, tree)
        for one in groups.get(rollout, ()):
            _apply(partial, one)
        partial.rollouts = rollout + 1
        yield partial


def _at_creation(tree: Tree, node: int) -> tuple[float, Reach] | None:
    """What a new node is worth and to whom, as `search.mcts` has it."""
    config, kind = tree.config, tree.kind[node]
    if kind in FAILED_KINDS:
        return config.negative_reward, "root" if config.failure_backup == "root" else "node"
    if kind == "answer":
        truth = config.positive_reward if tree.correct[node] else config.negative_reward
        return tree.ppm[node] if config.terminal == "ppm" else truth, "root"
    if node == ROOT or config.prior == "none":
        return None
    reaches: dict[str, Reach] = {"initial": "initial", "visit": "node", "propagated": "root"}
    return tree.ppm[node], reaches[config.prior]


def _dead_ends(tree: Tree) -> list[Backup]:
    """Nodes at which all draws brought nothing that works; the last draw was when its last proposal was refused."""
    last = {one.node: one.created_at for one in tree.refused}
    reach: Reach = "root" if tree.config.failure_backup == "root" else "node"
    return [
        Backup(last[node], node, tree.config.negative_reward, reach)
        for node in range(len(tree))
        if node in last and not tree.children[node] and not may_draw(tree, node)
    ]


def _come_to(tree: Tree, made: list[Backup]) -> bool:
    if any(one.rollout >= tree.rollouts for one in made) or tree.created_at != sorted(tree.created_at):
        return False
    *_, last = replay(tree, made)
    sums = zip(last.value_sum, tree.value_sum, strict=True)
    return last.visits == tree.visits and all(math.isclose(ours, theirs, abs_tol=1e-6) for ours, theirs in sums)


def _apply(tree: Tree, one: Backup) -> None:
    if one.reach == "initial":
        tree.value_sum[one.node] = one.value
    else:
        backup(tree, one.node, one.value, to_root=one.reach == "root")


def _append(partial: Tree, tree: Tree) -> None:
    """The next node of the tree, unvisited."""
    node = len(partial)
    fresh = {"children": [], "visits": 0, "value_sum": 0.0, "first_value": math.nan}
    for name in _lists(tree):
        getattr(partial, name).append(fresh[name] if name in fresh else getattr(tree, name)[node])
    if tree.parent[node] != NO_PARENT:
        partial.children[tree.parent[node]].append(node)


def _lists(tree: Tree) -> list[str]:
    """Names of the fields with a value a node."""
    return [name for name, value in vars(tree).items() if isinstance(value, list) and name != "refused"]
