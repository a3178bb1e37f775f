"""The search tree: a struct of arrays on the host, and the pure parts of a search (paper section 3.2).

    select     one step down: the open child with the largest UCT (Eq. 1)
    expand     append children
    backup     add a value to a node and its ancestors (Eq. 2)
    exhausted  whether nothing below a node is open any more; `close` acts on it

`select` and the readers depend on their arguments only; `expand`, `backup` and `close` change the tree they
are given and nothing else. Nodes are numbered in the order of creation; the root is node 0.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from typing import Literal

from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Path, sample_key

ROOT = 0
NO_PARENT = -1

NodeKind = Literal[
    "root",
    "thought",  # text without code
    "step",  # code that ran; its block goes on
    "code",  # code that ran and closed its block; the text shows its output
    "answer",  # a finished solution
    "error",  # its code failed once too often
    "too_many_steps",  # deeper than allowed
    "overlong",  # cut by a length limit
]
INNER_KINDS: tuple[NodeKind, ...] = ("root", "thought", "step", "code")
RUN_KINDS: tuple[NodeKind, ...] = ("step", "code")
FAILED_KINDS: tuple[NodeKind, ...] = ("error", "too_many_steps", "overlong")

Refusal = Literal["duplicate", "beside_answer", "empty", "cut", "error"]


@dataclasses.dataclass(frozen=True)
class NewNode:
    """What `expand` appends: a candidate that became a node."""

    text: str
    kind: NodeKind
    answer: str = ""
    count: int = 1
    logprob: float = 0.0
    n_tokens: int = 0
    outcome: str = ""
    output: str = ""
    errors: int = 0


@dataclasses.dataclass(frozen=True)
class Refused:
    """A proposal that became no node of its own, and why.

    duplicate: equal to a kept one, whose count it raised, or to one that failed in an earlier draw; beside_answer:
    dropped because another candidate was a finished answer (released rule); empty, cut: see
    `SearchConfig.incomplete`; error: its code failed.
    """

    node: int  # the node that was being expanded
    text: str
    reason: Refusal
    n_tokens: int = 0
    output: str = ""
    created_at: int = 0  # rollout, or level of a beam search


@dataclasses.dataclass
class Tree:
    """One problem's tree. Lists are indexed by node and of equal length."""

    problem: Problem
    config: SearchConfig
    seed: int = 0
    index: int = 0  # which tree of the problem (round 4 grows two, section 3.4.2)

    parent: list[int] = dataclasses.field(default_factory=list)
    children: list[list[int]] = dataclasses.field(default_factory=list)  # in proposal order
    depth: list[int] = dataclasses.field(default_factory=list)
    text: list[str] = dataclasses.field(default_factory=list)  # with closing tag and output block
    kind: list[NodeKind] = dataclasses.field(default_factory=list)
    closed: list[bool] = dataclasses.field(default_factory=list)  # a leaf for good, exhausted, or left out by a beam
    drawn: list[int] = dataclasses.field(default_factory=list)  # times that candidates were drawn here
    visits: list[int] = dataclasses.field(default_factory=list)  # N
    value_sum: list[float] = dataclasses.field(default_factory=list)  # q
    first_value: list[float] = dataclasses.field(default_factory=list)  # first one backed up; NaN if none
    ppm: list[float] = dataclasses.field(default_factory=list)  # the PPM's score; NaN if it was not asked
    correct: list[bool | None] = dataclasses.field(default_factory=list)  # of answers that were graded
    answer: list[str] = dataclasses.field(default_factory=list)  # final answer; "" on other nodes
    count: list[int] = dataclasses.field(default_factory=list)  # equal proposals that this node stands for
    logprob: list[float] = dataclasses.field(default_factory=list)  # sum over the step's tokens
    n_tokens: list[int] = dataclasses.field(default_factory=list)  # of the step
    outcome: list[str] = dataclasses.field(default_factory=list)  # of its execution; "" if it did not run
    output: list[str] = dataclasses.field(default_factory=list)
    errors: list[int] = dataclasses.field(default_factory=list)  # consecutive failing steps up to here
    created_at: list[int] = dataclasses.field(default_factory=list)  # rollout, or level of a beam search

    refused: list[Refused] = dataclasses.field(default_factory=list)
    rollouts: int = 0  # done so far; of a beam search its levels
    tokens: int = 0  # generated, refused proposals included
    proposals: int = 0
    executions: int = 0
    scored: int = 0  # steps that the PPM judged

    def __len__(self) -> int:
        return len(self.parent)


def new_tree(problem: Problem, config: SearchConfig, seed: int = 0, index: int = 0) -> Tree:
    """A tree that holds only its root, the question."""
    tree = Tree(problem, config, seed, index)
    _append(tree, NO_PARENT, NewNode("", "root"))
    return tree


def expand(tree: Tree, node: int, new: list[NewNode]) -> list[int]:
    """Append what one draw of candidates at `node` brought; leaves are closed from the start."""
    tree.drawn[node] += 1
    return [_append(tree, node, item) for item in new]


def q(tree: Tree, node: int) -> float:
    """Mean value Q(s) = q(s) / N(s); 0 before the first visit."""
    return tree.value_sum[node] / tree.visits[node] if tree.visits[node] else 0.0


def uct(tree: Tree, node: int) -> float:
    """Q(s) + c * sqrt(ln N_parent / N(s)) (Eq. 1); `SearchConfig.unvisited` says what holds for N(s) = 0."""
    config = tree.config
    parent, visits = tree.parent[node], tree.visits[node]
    if not visits and config.unvisited == "zero":
        return 0.0
    if not visits and config.unvisited == "inf":
        return math.inf
    if visits:
        value = q(tree, node)
    elif config.unvisited == "prior" and not math.isnan(tree.ppm[node]):
        value = tree.ppm[node]
    else:
        value = q(tree, parent)
    if config.exploration == "puct":
        share = tree.count[node] / sum(tree.count[sibling] for sibling in tree.children[parent])
        return value + config.c_puct * share * math.sqrt(max(tree.visits[parent], 1)) / (1 + visits)
    if not tree.visits[parent]:
        return value
    return value + config.c_puct * math.sqrt(math.log(tree.visits[parent]) / max(visits, 1))


def select(tree: Tree, node: int) -> int | None:
    """The open child to walk to, or None if there is none."""
    open_children = [child for child in tree.children[node] if not tree.closed[child]]
    if not open_children:
        return None
    scores = {child: uct(tree, child) for child in open_children}
    best = max(scores.values())
    tied = [child for child in open_children if scores[child] == best]
    if tree.config.ties == "random":
        key = sample_key(tree.seed, tree.problem.id, tree.index, "tie", node, tree.rollouts)
        return random.Random(key).choice(tied)
    if tree.config.ties == "count":
        return max(tied, key=lambda child: tree.count[child])  # the first of the most frequent ones
    return tied[0]


def backup(tree: Tree, node: int, value: float, *, to_root: bool = True) -> None:
    """One visit with `value` for the node and, if asked, for all its ancestors (Eq. 2)."""
    for place in ancestry(tree, node) if to_root else (node,):
        if math.isnan(tree.first_value[place]):
            tree.first_value[place] = value
        tree.visits[place] += 1
        tree.value_sum[place] += value


def may_draw(tree: Tree, node: int) -> bool:
    """Whether candidates may be drawn at a node, for the first time or again (`SearchConfig.expansions`)."""
    if not tree.drawn[node]:
        return True
    if tree.drawn[node] >= tree.config.expansions or answers_only(tree, node):
        return False
    failed = any(one.node == node and one.reason == "error" for one in tree.refused)
    return failed or any(tree.count[child] == 1 for child in tree.children[node])


def answers_only(tree: Tree, node: int) -> bool:
    """Whether nearly every proposal at a node is an answer (`SearchConfig.answer_candidates`)."""
    return tree.kind[node] == "code" and tree.config.answer_candidates is not None


def exhausted(tree: Tree, node: int) -> bool:
    """Whether no child of the node is open and none can come."""
    return not may_draw(tree, node) and all(tree.closed[child] for child in tree.children[node])


def close(tree: Tree, node: int) -> None:
    """Close a node, and under the "at_once" rule every ancestor that is exhausted by it."""
    tree.closed[node] = True
    parent = tree.parent[node]
    if tree.config.exhausted == "at_once" and parent != NO_PARENT and exhausted(tree, parent):
        close(tree, parent)


def ancestry(tree: Tree, node: int) -> Iterator[int]:
    """The node, its parent, …, the root."""
    while node != NO_PARENT:
        yield node
        node = tree.parent[node]


def path_nodes(tree: Tree, node: int) -> tuple[int, ...]:
    """Nodes from below the root down to `node`."""
    return tuple(reversed([place for place in ancestry(tree, node) if place != ROOT]))


def path(tree: Tree, node: int) -> Path:
    """The problem and the step texts down to `node`, as the policy and the PPM are asked with them."""
    return Path(tree.problem, tuple(tree.text[place] for place in path_nodes(tree, node)))


def tag(tree: Tree, node: int) -> str:
    """The released code's name of a node: 1-based child numbers below the root "0", as in "0.2.1"."""
    numbers = [str(tree.children[tree.parent[place]].index(place) + 1) for place in path_nodes(tree, node)]
    return ".".join(["0", *numbers])


def _append(tree: Tree, parent: int, new: NewNode) -> int:
    node = len(tree)
    tree.parent.append(parent)
    tree.children.append([])
    tree.depth.append(0 if parent == NO_PARENT else tree.depth[parent] + 1)
    tree.closed.append(new.kind not in INNER_KINDS)
    tree.drawn.append(0)
    tree.visits.append(0)
    tree.value_sum.append(0.0)
    tree.first_value.append(math.nan)
    tree.ppm.append(math.nan)
    tree.correct.append(None)
    tree.created_at.append(tree.rollouts)
    for field in dataclasses.fields(NewNode):
        getattr(tree, field.name).append(getattr(new, field.name))
    if parent != NO_PARENT:
        tree.children[parent].append(node)
    return node
