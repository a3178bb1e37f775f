"""Growth of a tree: expansion and evaluation of nodes (paper sections 3.2, 3.4.1), one or several of them together.

    draw candidate steps                     the policy
    refuse what repeats or says nothing      `candidates.keep`
    run their code                           the executor; failing ones are refused or become leaves
    append them                              `tree.expand`
    value the new nodes                      the grader or the PPM; `tree.backup`   Eqs. 2, 3

Each stage is awaited for all nodes together and then noted in the order in which the nodes were named. So neither
timing nor the order of arrival can change a tree: a request's key depends on seed, problem, tree and node only.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

from rstar_jax.search.answers import Extract
from rstar_jax.search.candidates import Candidate, keep
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Execution, Executor, Grader, Path, Proposal, Proposer, Scorer, sample_key
from rstar_jax.search.running import run_steps
from rstar_jax.search.tree import (
    FAILED_KINDS,
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
    path,
)
from rstar_jax.trajectory.steps import is_error, show_fatal_error, show_output, step_kind


@dataclasses.dataclass(frozen=True)
class Tools:
    """Who does what for a tree."""

    proposer: Proposer
    executor: Executor
    grader: Grader | None
    scorer: Scorer | None
    extract: Extract


@dataclasses.dataclass(frozen=True)
class _Ran:
    """A candidate as it was read, and what its code did; None if it has none to run."""

    candidate: Candidate
    kind: NodeKind
    answer: str
    execution: Execution | None


async def grow(tree: Tree, nodes: Sequence[int], tools: Tools) -> None:
    """Expand different nodes that have no open children, and value what is new.

    Children are numbered in the order of `nodes`, those of a node in the order of its proposals. All of them are
    scored in one call.
    """
    draws = await asyncio.gather(*(_draw(tree, node, tools) for node in nodes))
    kept = [_sift(tree, node, proposals) for node, proposals in zip(nodes, draws, strict=True)]
    runs = await asyncio.gather(*(_run(tree, node, some, tools) for node, some in zip(nodes, kept, strict=True)))
    grown = [expand(tree, node, _new_nodes(tree, node, ran)) for node, ran in zip(nodes, runs, strict=True)]
    await _value(tree, [child for children in grown for child in children], tools)
    for node in nodes:
        _close_if_done(tree, node)


async def _draw(tree: Tree, node: int, tools: Tools) -> list[Proposal]:
    return await tools.proposer.propose(path(tree, node), _width(tree, node), _key(tree, node))


def _width(tree: Tree, node: int) -> int:
    few = tree.config.answer_candidates if answers_only(tree, node) else None
    return few or tree.config.candidates


def _key(tree: Tree, node: int) -> int:
    again = ("again", tree.drawn[node]) if tree.drawn[node] else ()
    return sample_key(tree.seed, tree.problem.id, tree.index, node, *again)


def _sift(tree: Tree, node: int, proposals: list[Proposal]) -> list[Candidate]:
    """The candidates among a draw that are worth running."""
    tree.proposals += len(proposals)
    tree.tokens += sum(proposal.n_tokens for proposal in proposals)
    candidates, refused = keep(proposals, tree.config)
    for one, reason in refused:
        _refuse(tree, node, one, reason)
    return _merge_known(tree, node, candidates)


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


async def _run(tree: Tree, node: int, candidates: list[Candidate], tools: Tools) -> list[_Ran]:
    """Run the candidates' code. The tree is only read, since other nodes grow at the same time."""
    config, here = tree.config, path(tree, node)
    readings = [_read(one, here, config, tools.extract) for one in candidates]
    texts = [one.text for one, (kind, _) in zip(candidates, readings, strict=True) if kind in RUN_KINDS]
    results = iter(await run_steps(tools.executor, here.steps, texts, config.reading))
    return [
        _Ran(one, kind, answer, next(results) if kind in RUN_KINDS else None)
        for one, (kind, answer) in zip(candidates, readings, strict=True)
    ]


def _read(candidate: Candidate, here: Path, config: SearchConfig, extract: Extract) -> tuple[NodeKind, str]:
    """The kind of a candidate before it is run, and its final answer if it is one."""
    kind = step_kind(here.steps, candidate.text, config.reading)
    answer = extract(candidate.text) if kind == "answer" else ""
    if candidate.cut and not answer:
        return "overlong", ""
    if kind == "answer" and not answer and config.reading == "released":
        return "thought", ""  # an empty box is neither run nor final (item 24)
    return kind, answer


def _new_nodes(tree: Tree, node: int, ran: list[_Ran]) -> list[NewNode]:
    """The candidates that become nodes, in sampling order. Failing ones may be refused."""
    config = tree.config
    new: list[NewNode] = []
    places: dict[tuple[str, ...], int] = {}  # of what candidates have left, for `merge_states`
    for one in ran:
        proposal, execution = one.candidate.proposal, one.execution
        tree.executions += execution is not None
        item = _as_node(tree, node, one)
        left = (item.kind, item.outcome, item.output, execution.state) if execution and execution.state else ()
        if item.kind == "error" and config.errors == "discard":
            _refuse(tree, node, proposal, "error", item.output)
        elif config.merge_states and left in places:
            first = new[places[left]]
            new[places[left]] = dataclasses.replace(first, count=first.count + item.count)
            _refuse(tree, node, proposal, "duplicate", item.output)
        else:
            if left:
                places[left] = len(new)
            new.append(item)
    return new


def _as_node(tree: Tree, parent: int, ran: _Ran) -> NewNode:
    """Apply the rules of code errors and of depth (items 6, 23)."""
    config, candidate, execution = tree.config, ran.candidate, ran.execution
    kind, text, errors = ran.kind, candidate.text, 0
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
        answer=ran.answer,
        count=candidate.count,
        logprob=candidate.proposal.logprob,
        n_tokens=candidate.proposal.n_tokens,
        outcome=execution.outcome if execution else "",
        output=execution.output if execution else "",
        errors=errors,
    )


async def _value(tree: Tree, children: list[int], tools: Tools) -> None:
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
        values = await tools.scorer.score([path(tree, child) for child in scored])
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


def _close_if_done(tree: Tree, node: int) -> None:
    config = tree.config
    if not tree.children[node] and not may_draw(tree, node):  # nothing that works comes after this node
        backup(tree, node, config.negative_reward, to_root=config.failure_backup == "root")
        close(tree, node)
    elif exhausted(tree, node) and config.exhausted == "at_once":
        close(tree, node)
