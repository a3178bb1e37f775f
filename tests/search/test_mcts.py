"""Search on scripted policies in closed form, and its promises on random ones."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from types import ModuleType

import pytest

from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import extend, search
from rstar_jax.search.tree import ROOT, Tree, q

STEP = "<code>\nx = 1\n<end_of_step>"
OTHER = "<code>\nx = 2\n<end_of_step>"
FAILING = "<code>\nfail()\n<end_of_step>"
CODE = "\nprint(x)\n<end_of_code>"
RIGHT = "\n<answer>\\boxed{2}<end_of_answer>"
WRONG = "\n<answer>\\boxed{1}<end_of_answer>"


def shown(output: str) -> str:
    return f"{CODE}\n<output>{output}<end_of_output>"


TWO_BRANCHES = {
    "": [STEP, OTHER],
    STEP: [CODE],
    OTHER: [CODE],
    STEP + shown("1"): [WRONG],
    OTHER + shown("2"): [RIGHT, WRONG],
}


def run(fakes: ModuleType, script: dict[str, list[str]], **settings: object) -> Tree:
    config = SearchConfig(**{"rollouts": 8, **settings})
    tools = (fakes.ScriptedProposer(script), fakes.FakeExecutor(), fakes.FakeGrader(), fakes.FakeScorer())
    return asyncio.run(search(fakes.PROBLEM, config, *tools))


def test_terminal_guided_tree(fakes: ModuleType):
    tree = run(fakes, TWO_BRANCHES)
    assert tree.kind == ["root", "step", "step", "code", "answer", "code", "answer", "answer"]
    assert [q(tree, node) for node in range(len(tree))] == [-1 / 3, -1, 0, -1, -1, 0, 1, -1]
    assert tree.visits == [3, 1, 2, 1, 1, 2, 1, 1]
    assert tree.correct == [None] * 4 + [False, None, True, False]
    assert (tree.rollouts, tree.closed) == (2, [True] * 8)  # finished before its 8 rollouts
    assert (tree.tokens, tree.proposals, tree.executions, tree.scored) == (70, 7, 4, 0)
    assert tree.text[3] == shown("1")
    assert tree.created_at == [0, 0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(("prior", "visits_of_root"), [("visit", 3), ("initial", 3), ("propagated", 7)])
def test_ppm_augmented_tree(fakes: ModuleType, prior: str, visits_of_root: int):
    tree = run(fakes, TWO_BRANCHES, prior=prior)
    wrong = next(node for node in range(len(tree)) if tree.kind[node] == "answer" and tree.depth[node] == 3)
    code = tree.parent[wrong]
    ppm, answers = tree.ppm[code], len(tree.children[code])
    reward = sum(tree.value_sum[child] for child in tree.children[code])
    assert -1 <= ppm <= 1
    assert tree.visits[ROOT] == visits_of_root
    expected = (ppm + reward) / answers if prior == "initial" else (ppm + reward) / (answers + 1)
    assert q(tree, code) == pytest.approx(expected)
    assert all(math.isnan(tree.ppm[node]) for node in range(len(tree)) if tree.kind[node] == "answer")
    assert tree.scored == 4


def test_test_time_values_are_the_ppms(fakes: ModuleType):
    tree = run(fakes, TWO_BRANCHES, prior="visit", terminal="ppm")
    answers = [node for node in range(len(tree)) if tree.kind[node] == "answer"]
    assert [tree.value_sum[node] for node in answers] == [tree.ppm[node] for node in answers]
    assert q(tree, ROOT) == pytest.approx(sum(tree.ppm[node] for node in answers) / 3)
    assert tree.scored == 7


def test_a_grader_labels_test_time_answers_without_changing_the_search(fakes: ModuleType):
    config = presets.paper("test")
    tools = (fakes.FakeProposer(), fakes.FakeExecutor())
    graded = asyncio.run(search(fakes.PROBLEM, config, *tools, fakes.FakeGrader(), fakes.FakeScorer()))
    blind = asyncio.run(search(fakes.PROBLEM, config, *tools, None, fakes.FakeScorer()))
    assert any(flag is not None for flag in graded.correct)
    graded.correct = blind.correct
    assert fakes.content(graded) == fakes.content(blind)


def test_failing_steps_are_refused(fakes: ModuleType):
    tree = run(fakes, TWO_BRANCHES | {"": [FAILING, STEP, FAILING]})
    assert tree.text[1:2] == [STEP]
    assert [(one.reason, one.node) for one in tree.refused] == [("duplicate", ROOT), ("error", ROOT)]
    assert tree.refused[1].output.startswith("NameError")
    assert tree.refused[1].n_tokens == 10


def test_failing_steps_become_leaves(fakes: ModuleType):
    tree = run(fakes, TWO_BRANCHES | {"": [FAILING, OTHER]}, errors="leaf")
    assert (tree.kind[1], tree.closed[1], tree.visits[1], q(tree, 1)) == ("error", True, 1, -1.0)
    assert (tree.visits[ROOT], q(tree, ROOT)) == (2, 0.0)
    tree = run(fakes, TWO_BRANCHES | {"": [FAILING, OTHER]}, errors="leaf", failure_backup="root")
    assert (tree.visits[ROOT], q(tree, ROOT)) == (3, -1 / 3)


def test_only_consecutive_errors_count(fakes: ModuleType):
    script = {"": [FAILING], FAILING: ["\nfail()\n<end_of_step>"]}
    tree = run(fakes, script, errors="leaf", errors_threshold=2)
    assert (tree.kind, tree.errors) == (["root", "step", "error"], [0, 1, 2])


@pytest.mark.parametrize(("rule", "visits"), [("self", 0), ("root", 1)])
def test_a_node_without_any_working_candidate_is_a_dead_end(fakes: ModuleType, rule: str, visits: int):
    tree = run(fakes, {"": [STEP], STEP: ["\nfail()\n<end_of_step>"]}, failure_backup=rule)
    assert (len(tree), tree.closed, tree.rollouts) == (2, [True, True], 1)
    assert (tree.visits[1], q(tree, 1), tree.visits[ROOT]) == (1, -1.0, visits)


def test_over_long_generations_end_their_path(fakes: ModuleType):
    cut = STEP.removesuffix("<end_of_step>")
    tree = run(fakes, {"": [cut + "…"]})
    assert (tree.kind, tree.executions, q(tree, 1)) == (["root", "overlong"], 0, -1.0)
    tree = run(fakes, {"": [cut + "…"]}, incomplete="drop")
    assert (len(tree), tree.refused[0].reason) == (1, "cut")
    tree = run(fakes, {"": [cut + "…"], cut: [CODE], cut + shown("1"): [RIGHT]}, incomplete="keep")
    assert tree.kind == ["root", "step", "code", "answer"]


def chain(length: int) -> dict[str, list[str]]:
    steps = [STEP] + [f"\nx = {place}\n<end_of_step>" for place in range(length)]
    return {"".join(steps[:place]): [steps[place]] for place in range(length)}


def test_strict_depth(fakes: ModuleType):
    tree = run(fakes, chain(9), max_depth=3)
    assert tree.kind == ["root", "step", "step", "too_many_steps"]
    assert tree.rollouts == 1


def test_released_depth_is_one_more_after_the_first_rollout(fakes: ModuleType):
    settings = {**dataclasses.asdict(presets.released("bootstrap")), "max_depth": 3}
    first = run(fakes, chain(9), **{**settings, "rollouts": 1})
    second = run(fakes, chain(9), **{**settings, "rollouts": 2})
    assert first.kind == ["root", "step", "step", "step"]
    assert second.kind == ["root", "step", "step", "step", "too_many_steps"]


def test_fewer_candidates_after_an_output(fakes: ModuleType):
    proposer = fakes.ScriptedProposer(TWO_BRANCHES)
    config = SearchConfig(rollouts=1, candidates=8, answer_candidates=3)
    asyncio.run(search(fakes.PROBLEM, config, proposer, fakes.FakeExecutor(), fakes.FakeGrader()))
    assert [n for _, n, _ in proposer.calls] == [8, 8, 3]


def test_stop_rules(fakes: ModuleType):
    assert run(fakes, TWO_BRANCHES, stop_solved=1).rollouts == 2
    assert run(fakes, TWO_BRANCHES, stop_tokens=40).rollouts == 1
    assert run(fakes, TWO_BRANCHES, stop_finished=False).rollouts == 8


def test_missing_tools_are_named(fakes: ModuleType):
    tools = (fakes.ScriptedProposer({}), fakes.FakeExecutor())
    with pytest.raises(ValueError, match="grader"):
        asyncio.run(search(fakes.PROBLEM, presets.paper(1), *tools))
    with pytest.raises(ValueError, match="scorer"):
        asyncio.run(search(fakes.PROBLEM, presets.paper(3), *tools, fakes.FakeGrader()))


def test_on_rollout_sees_every_rollout(fakes: ModuleType):
    seen: list[int] = []
    tools = (fakes.ScriptedProposer(TWO_BRANCHES), fakes.FakeExecutor(), fakes.FakeGrader())
    config = SearchConfig(rollouts=8)
    asyncio.run(search(fakes.PROBLEM, config, *tools, on_rollout=lambda tree: seen.append(tree.rollouts)))
    assert seen == [1, 2]


NAMES = [
    "released-bootstrap",
    "released-sample",
    "released-eval",
    "paper-1",
    "paper-3",
    "paper-test",
    "default-bootstrap",
    "default-sample",
    "default-eval",
    "random-ties",
]


@pytest.mark.parametrize("name", NAMES)
def test_16_and_64_more_rollouts_are_80(fakes: ModuleType, name: str):
    settings = dataclasses.replace(fakes.SETTINGS[name], max_depth=5, candidates=4)
    tools = (fakes.FakeProposer(), fakes.FakeExecutor(), fakes.FakeGrader(), fakes.FakeScorer())

    async def both(seed: int) -> tuple[Tree, Tree]:
        tree = await fakes.grow(dataclasses.replace(settings, rollouts=16), seed=seed)
        return await extend(tree, 64, *tools), await fakes.grow(dataclasses.replace(settings, rollouts=80), seed=seed)

    for seed in range(3):
        extended, whole = asyncio.run(both(seed))
        assert fakes.content(extended) == fakes.content(whole)


@pytest.mark.parametrize("name", ["released-eval", "default-sample", "random-ties"])
def test_timing_and_neighbours_change_nothing(fakes: ModuleType, name: str):
    config = dataclasses.replace(fakes.SETTINGS[name], rollouts=5, candidates=4)

    async def together(seconds: float) -> list[Tree]:
        problems = fakes.problems(6)
        return await asyncio.gather(*[fakes.grow(config, problem, seconds=seconds) for problem in problems])

    calm, busy = asyncio.run(together(0.0)), asyncio.run(together(0.003))
    assert [fakes.content(tree) for tree in calm] == [fakes.content(tree) for tree in busy]


def test_seed_and_index_change_the_tree(fakes: ModuleType):
    def texts(**place: int) -> list[str]:
        return asyncio.run(fakes.grow(presets.default("sample"), **place)).text

    assert texts() == texts()
    assert texts() != texts(seed=1)
    assert texts() != texts(index=1)


def test_bookkeeping(fakes: ModuleType):
    """Every proposal is a node or a refusal, and every token belongs to one of them."""
    tree = asyncio.run(fakes.grow(presets.default("sample")))
    assert len(tree) - 1 + len(tree.refused) == tree.proposals
    assert sum(tree.n_tokens) + sum(one.n_tokens for one in tree.refused) == tree.tokens
