"""Search trees as requests to a PPM, for `scoring.py`: searched here, read from a run, or made up."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from worked_solutions import WorkedProposer, read_worked

from rstar_jax.evolution.bootstrap.scripted import ScriptedConfig, ScriptedProposer
from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.grading import GraderPool
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.reasoning_gym import make_split
from rstar_jax.search import presets
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Proposer
from rstar_jax.search.store import iterate_trees
from rstar_jax.search.tree import Tree, path
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import train_tokenizer

Family = tuple[list[int], list[list[int]]]  # tokens of a parent's path, tokens of its children behind it


def families_of(tree: Tree, encode: Callable[[str], list[int]]) -> list[Family]:
    """The expansions of a tree in their order."""
    found: dict[tuple[int, int], list[int]] = {}
    for node, parent in enumerate(tree.parent):
        if node:
            found.setdefault((tree.created_at[node], parent), []).append(node)
    families = []
    for (_, parent), children in found.items():
        prompt = encode(policy_prompt(tree.problem.question, path(tree, parent).text))
        families.append((prompt, [encode(tree.text[child]) for child in children]))
    return families


def tokenised(trees: Sequence[Tree], vocab_size: int) -> list[list[Family]]:
    """In tokens of a tokenizer that is learned from the trees' own texts."""
    texts = [policy_prompt(tree.problem.question, "".join(tree.text)) for tree in trees]
    tokenizer = train_tokenizer(texts, vocab_size)
    return [families_of(tree, tokenizer.encode) for tree in trees]


def read(files: Iterable[pathlib.Path], limit: int, vocab_size: int) -> list[list[Family]]:
    """The first trees of some files of a search."""
    return tokenised([tree for file in files for tree in iterate_trees(file)][:limit], vocab_size)


def searched(count: int, vocab_size: int) -> list[list[Family]]:
    """Trees of the built-in example's first round: its problems, its scripted proposer, its code really run."""
    return tokenised(_grown(make_split(1, 1, 0)[0][:count], ScriptedProposer(ScriptedConfig())), vocab_size)


def worked(file: pathlib.Path, count: int, vocab_size: int, least: int) -> list[list[Family]]:
    """Trees of problems that take at least so many steps, with steps that people wrote (`worked_solutions`)."""
    problems, lines = read_worked(file, count, least)
    return tokenised(_grown(problems, WorkedProposer(lines)), vocab_size)


def _grown(problems: Sequence[Problem], proposer: Proposer) -> list[Tree]:
    """By the search of round 2, with code really run."""
    config = dataclasses.replace(presets.default("bootstrap"), rollouts=16, candidates=8)

    async def grow() -> list[Tree]:
        with GraderPool(semantics="strict") as grader:
            async with ExecutorPool(ExecutorConfig(cpu_seconds=1, wall_seconds=4.0, snapshots=0)) as executor:
                growing = [search(problem, config, proposer, executor, grader) for problem in problems]
                return await asyncio.gather(*growing)

    return asyncio.run(grow())


def made_up(count: int, vocab_size: int, question: int, step: int, rollouts: int) -> list[list[Family]]:
    """Trees of random tokens with steps of the lengths given: up to 8 children a node, 8 steps deep."""
    rng = np.random.default_rng(0)

    def some(mean: int) -> list[int]:
        return rng.integers(0, vocab_size, int(rng.integers(mean // 2, 3 * mean // 2 + 1))).tolist()

    def tree() -> list[Family]:
        root = some(question)
        inner, families = [(root, 0)], []
        for _ in range(rollouts):
            prompt, depth = inner.pop(int(rng.integers(0, len(inner))))
            while depth < 8:
                children = [some(step) for _ in range(int(rng.integers(2, 9)))]
                families.append((prompt, children))
                *rest, (prompt, depth) = [(prompt + child, depth + 1) for child in children]
                inner += rest
        return families

    return [tree() for _ in range(count)]
