"""Monte Carlo tree search over code-verified steps (paper section 3.2), one coroutine per tree.

    for each rollout:                     `_rollout`
        walk down by UCT                  `tree.select`    Eq. 1
        at a node without open children:  `_grow`, if it may be drawn from (again)
            draw candidate steps          the policy
            run their code                the executor; failing ones are refused or become leaves
            append them                   `tree.expand`
            value the new nodes           the grader or the PPM; `tree.backup`   Eqs. 2, 3
        go on until an answer is met or nothing is open

There is no simulation apart from this: each step of the walk expands, and every answer among the new children
is valued and backed up at once, as in the authors' code.

Batching, caching and processes are behind the protocols. A request's key depends on seed, problem, tree and
node only, so neither timing nor the other trees can change a tree.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from rstar_jax.problems.problem import Problem
from rstar_jax.search.answers import Extract, extractor
from rstar_jax.search.candidates import Candidate, keep
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Execution, Executor, Grader, Path, Proposal, Proposer, Scorer, sample_key
from rstar_jax.search.running import run_steps
from rstar_jax.search.trajectories import n_correct
from rstar_jax.search.tree import (
    FAILED_KINDS,
    ROOT,
    RUN_KINDS,
    NewNode,
    NodeKind,
    Refusal,
    Refused,
    Tree,
    answers_only,
    backup,
    close,
    exhausted,
    expand,
    may_draw,
    new_tree,
    path,
    select,
)
from rstar_jax.trajectory.steps import is_error, show_fatal_error, show_output, step_kind

OnRollout = Callable[[Tree], None]


@dataclasses.dataclass(frozen=True)
class _Tools:
    """Who does what for a tree."""

    proposer: Proposer
    executor: Executor
    grader: Grader | None
    scorer: Scorer | None
    extract: Extract


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
    """Grow one tree of `config.rollouts` rollouts.

    A grader is needed where answers are valued by ground truth, a scorer where the PPM takes part (ValueError
    otherwise). A grader that is given at test time labels the answers, without any influence on the search.
    `on_rollout` sees the tree after each rollout; `extract` reads the final answer of a step, by default as
    `config.reading` says.
    """
    tree = new_tree(problem, config, seed, tree_index)
    return await extend(tree, 0, proposer, executor, grader, scorer, on_rollout, extract)


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

    The tree is changed in place and returned: it is what one search of all the rollouts would have grown.
    """
    config = dataclasses.replace(tree.config, rollouts=tree.config.rollouts + more_rollouts)
    if config.needs_grader and grader is None:
        raise ValueError("answers are valued by ground truth, so search needs a grader")
    if config.needs_scorer and scorer is None:
        raise ValueError("the PPM takes part in this search, so it needs a scorer")
    tools = _Tools(proposer, executor, grader, scorer, extract or extractor(config.reading))
    tree.config = config
    while tree.rollouts < config.rollouts and not _finished(tree):
        await _rollout(tree, tools)
        tree.rollouts += 1
        if on_rollout is not None:
            on_rollout(tree)
    return tree


def _finished(tree: Tree) -> bool:
    config = tree.config
    return (
        (config.stop_finished and tree.closed[ROOT])
        or (config.stop_solved is not None and n_correct(tree) >= config.stop_solved)
        or (config.stop_tokens is not None and tree.tokens >= config.stop_tokens)
    )


async def _rollout(tree: Tree, tools: _Tools) -> None:
    """One walk from the root, expanding on its way, until an answer is met or no child is open."""
    node = ROOT
    for _ in range(_walk_length(tree)):
        if tree.closed[node]:
            return
        chosen = select(tree, node)
        if chosen is None and may_draw(tree, node):
            await _grow(tree, node, tools)
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


async def _grow(tree: Tree, node: int, tools: _Tools) -> None:
    """Expansion and evaluation of a node that has no open children."""
    config, here = tree.config, path(tree, node)
    proposals = await tools.proposer.propose(here, _width(tree, node), _key(tree, node))
    tree.proposals += len(proposals)
    tree.tokens += sum(proposal.n_tokens for proposal in proposals)

    candidates, refused = keep(proposals, config)
    for one, reason in refused:
        _refuse(tree, node, one, reason)
    new = await _run(tree, node, _merge_known(tree, node, candidates), tools)
    children = expand(tree, node, new)
    if children:
        await _value(tree, here, children, tools)
    elif not tree.children[node] and not may_draw(tree, node):  # nothing that works comes after this node
        backup(tree, node, config.negative_reward, to_root=config.failure_backup == "root")
        close(tree, node)
        return
    if exhausted(tree, node) and config.exhausted == "at_once":
        close(tree, node)


def _key(tree: Tree, node: int) -> int:
    again = ("again", tree.drawn[node]) if tree.drawn[node] else ()
    return sample_key(tree.seed, tree.problem.id, tree.index, node, *again)


def _refuse(tree: Tree, node: int, proposal: Proposal, reason: Refusal, output: str = "") -> None:
    tree.refused.append(Refused(node, proposal.text, reason, proposal.n_tokens, output, tree.rollouts))


def _merge_known(tree: Tree, node: int, candidates: list[Candidate]) -> list[Candidate]:
    """Candidates that no earlier draw at this node brought; the others raise the count of the child they equal."""
    failed = {one.text for one in tree.refused if one.node == node and one.reason == "error"}
    new = []
    for one in candidates:
        equal = [child for child in tree.children[node] if _came_from(tree.text[child], one)]
        for child in equal:
            tree.count[child] += one.count
        if equal or one.text in failed:
            _refuse(tree, node, one.proposal, "duplicate")
        else:
            new.append(one)
    return new


def _came_from(text: str, candidate: Candidate) -> bool:
    """Whether a child's text, which may show an output after the closing tag, was this candidate."""
    return text == candidate.text or (candidate.proposal.finish == "stop" and text.startswith(candidate.text))


def _width(tree: Tree, node: int) -> int:
    few = tree.config.answer_candidates if answers_only(tree, node) else None
    return few or tree.config.candidates


async def _run(tree: Tree, node: int, candidates: list[Candidate], tools: _Tools) -> list[NewNode]:
    """Run the candidates' code; those that become nodes, in sampling order. Failing ones may be refused."""
    config, here = tree.config, path(tree, node)
    readings = [_read(one, here, config, tools.extract) for one in candidates]
    runs = [one.text for one, (kind, _) in zip(candidates, readings, strict=True) if kind in RUN_KINDS]
    results = iter(await run_steps(tools.executor, here.steps, runs, config.reading))
    tree.executions += len(runs)

    new: list[NewNode] = []
    places: dict[tuple[str, ...], int] = {}  # of what candidates have left, for `merge_states`
    for one, (kind, answer) in zip(candidates, readings, strict=True):
        execution = next(results) if kind in RUN_KINDS else None
        item = _as_node(tree, node, one, kind, answer, execution)
        left = (item.kind, item.outcome, item.output, execution.state) if execution and execution.state else ()
        if item.kind == "error" and config.errors == "discard":
            _refuse(tree, node, one.proposal, "error", item.output)
        elif config.merge_states and left in places:
            first = new[places[left]]
            new[places[left]] = dataclasses.replace(first, count=first.count + item.count)
            _refuse(tree, node, one.proposal, "duplicate", item.output)
        else:
            if left:
                places[left] = len(new)
            new.append(item)
    return new


def _read(candidate: Candidate, here: Path, config: SearchConfig, extract: Extract) -> tuple[NodeKind, str]:
    """The kind of a candidate before it is run, and its final answer if it is one."""
    kind = step_kind(here.steps, candidate.text, config.reading)
    answer = extract(candidate.text) if kind == "answer" else ""
    if candidate.cut and not answer:
        return "overlong", ""
    if kind == "answer" and not answer and config.reading == "released":
        return "thought", ""  # an empty box is neither run nor final (item 24)
    return kind, answer


def _as_node(
    tree: Tree, parent: int, candidate: Candidate, kind: NodeKind, answer: str, execution: Execution | None
) -> NewNode:
    """Apply the rules of code errors and of depth (items 6, 23)."""
    config, text, errors = tree.config, candidate.text, 0
    if execution is not None:
        failed = is_error(execution.outcome, execution.output, config.reading)
        errors = tree.errors[parent] + 1 if failed else 0
        if errors >= config.errors_threshold:
            kind, text = "error", show_fatal_error(text, execution.output, config.reading)
        elif kind == "code":
            text = show_output(text, execution.output)
    depth = tree.depth[parent] + 1
    too_deep = depth > config.max_depth if config.depth_rule == "released" else depth >= config.max_depth
    if too_deep and kind not in ("answer", *FAILED_KINDS):
        kind = "too_many_steps"
    return NewNode(
        text=text,
        kind=kind,
        answer=answer,
        count=candidate.count,
        logprob=candidate.proposal.logprob,
        n_tokens=candidate.proposal.n_tokens,
        outcome=execution.outcome if execution else "",
        output=execution.output if execution else "",
        errors=errors,
    )


async def _value(tree: Tree, here: Path, children: list[int], tools: _Tools) -> None:
    """Value the new children: failures, then answers, then inner nodes (Eqs. 2 and 3)."""
    config = tree.config
    answers = [child for child in children if tree.kind[child] == "answer"]
    inner = [child for child in children if not tree.closed[child]]
    if tools.grader is not None:
        grades = [_grade(tools.grader, tree.answer[child], tree.problem.answer) for child in answers]
        for child, correct in zip(answers, await asyncio.gather(*grades), strict=True):
            tree.correct[child] = correct
    scored = (answers if config.terminal == "ppm" else []) + (inner if config.prior != "none" else [])
    if scored and tools.scorer is not None:
        values = await tools.scorer.score([here.child(tree.text[child]) for child in scored])
        tree.scored += len(scored)
        for child, value in zip(scored, values, strict=True):
            tree.ppm[child] = value

    for child in children:
        if tree.kind[child] in FAILED_KINDS:
            backup(tree, child, config.negative_reward, to_root=config.failure_backup == "root")
        elif tree.kind[child] == "answer":
            backup(tree, child, _worth(tree, child))
        elif config.prior == "initial":
            tree.value_sum[child] = tree.ppm[child]
        elif config.prior != "none":
            backup(tree, child, tree.ppm[child], to_root=config.prior == "propagated")


async def _grade(grader: Grader, answer: str, truth: str) -> bool:
    return bool(answer) and await grader.grade(answer, truth)


def _worth(tree: Tree, answer: int) -> float:
    config = tree.config
    if config.terminal == "ppm":
        return tree.ppm[answer]
    return config.positive_reward if tree.correct[answer] else config.negative_reward
