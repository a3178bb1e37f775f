"""Models without rStar training: reasoning, Python as a tool, how solutions end and what is read as their answer."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import random

import pytest

from rstar_jax.evaluation import aggregate
from rstar_jax.evaluation.methods import Graders
from rstar_jax.evaluation.overview import overviews, table
from rstar_jax.evaluation.plain import NO_BLOCK, PlainConfig, Tool, plain_solution, read_answer
from rstar_jax.evaluation.run import EvaluationConfig, Tools, evaluate
from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.grading import GraderPool
from rstar_jax.inference.config import Sampling
from rstar_jax.inference.plain import PlainProposer, end_tokens
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Execution
from rstar_jax.trajectory import plain_prompts
from rstar_jax.trajectory.plain_prompts import Chat, Completion, make_prompt
from rstar_jax.trajectory.tokenizer import load_tokenizer, train_tokenizer

QWEN = pathlib.Path(__file__).parents[2].parent / "shared" / "data" / "tokenizer_qwen2"

COT = " Six sevens are $6 \\cdot 7 = 42$.\n\nThe answer is $\\boxed{42}$."
NEXT_QUESTION = "\n\nQuestion: What is 2 + 2?\nAnswer: $\\boxed{4}$"
TIR = (  # the first goes on with an output that the model has invented
    " I count with a program.\n```python\nx = 6\nprint(x)\n```\n```output\n5\n```\nSo \\boxed{5}.",
    "Now the product.\n```python\nprint(x * 7)\n```\n```output\n",
    "The final answer is $\\boxed{42}$.",
)
CONFIG = PlainConfig(Completion(), sampling=Sampling(temperature=1.0, max_tokens=400), max_context=2000)
WITH_TOOL = dataclasses.replace(CONFIG, tool=Tool())


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([plain_prompts.REASON, COT, *TIR], 340)


@pytest.fixture
def model(tokenizer, scripted):
    """A proposer of a script, as `evaluate` is given one."""

    def make(write, config: PlainConfig, max_length: int = 4096) -> PlainProposer:
        engine = scripted.ScriptedEngine(tokenizer, write, tokenizer.pad_id, max_length)
        sampling, ends = config.sample_sampling, [tokenizer.pad_id]
        return PlainProposer(engine, tokenizer, sampling, config.max_context, config.style, ends, opened=True)

    return make


class Notebook:
    """An executor that writes down what it is asked, and answers from a list."""

    def __init__(self, *executions: Execution):
        self.asked: list[tuple[tuple[str, ...], str]] = []
        self._executions = list(executions)

    async def expand(self, history, snippets):
        (snippet,) = snippets
        self.asked.append((history, snippet))
        return [self._executions.pop(0)]


def solve(proposer, config, executor=None, question="What is 6 times 7?"):
    problem = Problem("p", question, "42")
    return asyncio.run(plain_solution(problem, proposer, executor or Notebook(), config, key=3))


def test_a_solution_ends_with_the_models_end_token(model):
    proposer = model(lambda text, key: COT, CONFIG)
    solution = solve(proposer, CONFIG)
    assert (solution.text, solution.answer, solution.outcome) == (COT, "42", "answer")
    assert solution.n_tokens == len(proposer.tokenizer.encode(COT)) + 1


def test_a_base_model_that_asks_the_next_question_is_stopped(model):
    solution = solve(model(lambda text, key: COT + NEXT_QUESTION, CONFIG), CONFIG)
    assert solution.text == COT + "\n"
    assert solution.answer == "42"


def test_without_the_tool_an_output_is_only_text(model):
    solution = solve(model(lambda text, key: TIR[0], CONFIG), CONFIG)
    assert (solution.text, solution.answer) == (TIR[0], "5")


def test_outputs_are_ours_and_state_is_kept_between_blocks(model, scripted):
    proposer = model(scripted.turns({"6 times 7": TIR}), WITH_TOOL)

    async def run():
        async with ExecutorPool(ExecutorConfig(semantics="notebook", cells=1)) as pool:
            return await plain_solution(Problem("p", "What is 6 times 7?", "42"), proposer, pool, WITH_TOOL, 0)

    solution = asyncio.run(run())
    assert solution.text == (
        " I count with a program.\n```python\nx = 6\nprint(x)\n```\n```output\n6\n```\n"
        "Now the product.\n```python\nprint(x * 7)\n```\n```output\n42\n```\n"
        "The final answer is $\\boxed{42}$."
    )
    assert (solution.answer, solution.outcome, len(solution.path.steps)) == ("42", "answer", 3)
    assert proposer.engine.read[2].endswith("```output\n42\n```\n")  # and goes on from there


@pytest.mark.skipif(not QWEN.exists(), reason="the Qwen2 tokenizer is not on this machine")
def test_a_chat_with_qwens_tokenizer_flows_through_tokens_and_back(scripted):
    qwen = load_tokenizer(QWEN)
    ends = end_tokens(QWEN, qwen)
    assert qwen.decode(ends) == "<|im_end|>"
    config = PlainConfig(Chat(plain_prompts.REASON_WITH_PROGRAMS), Tool(), sampling=Sampling(max_tokens=400))
    engine = scripted.ScriptedEngine(qwen, scripted.turns({"6 times 7": TIR}), ends[0])
    sampling, prompt = config.greedy_sampling, make_prompt(config.style, QWEN)
    proposer = PlainProposer(engine, qwen, sampling, config.max_context, prompt, ends, opened=False)
    solution = solve(proposer, config, Notebook(Execution("ok", "6"), Execution("ok", "42")))
    assert (solution.answer, solution.outcome) == ("42", "answer")
    assert "```output\n42\n```\nThe final answer is" in solution.text
    assert engine.read[0].endswith("<|im_start|>user\nWhat is 6 times 7?<|im_end|>\n<|im_start|>assistant\n")
    assert engine.read[2] == engine.read[0] + solution.text.removesuffix(TIR[2])


def test_errors_are_shown_and_leave_nothing_behind(model, scripted):
    blocks = ("x = 1\nprint(y)", "x = 6", "print(x)")
    script = [f"```python\n{block}\n```\n```output" for block in blocks]
    executor = Notebook(Execution("error", "NameError: y"), Execution("ok", ""), Execution("ok", "6"))
    solution = solve(model(scripted.turns({"6": [*script, COT]}), WITH_TOOL), WITH_TOOL, executor)
    assert "```output\nNameError: y\n```\n" in solution.text
    assert "```output\nDone\n```\n" in solution.text
    assert [history for history, _ in executor.asked] == [(), (), ("x = 6\n",)]
    fresh = dataclasses.replace(WITH_TOOL, tool=Tool(keep_state=False))
    executor = Notebook(*[Execution("ok", "1")] * 3)
    solve(model(scripted.turns({"6": [*script, COT]}), fresh), fresh, executor)
    assert [history for history, _ in executor.asked] == [()] * 3


def test_a_stretch_without_a_block_is_told_so(model, scripted):
    solution = solve(model(scripted.turns({"6": ["The program prints\n```output\n7", COT]}), WITH_TOOL), WITH_TOOL)
    assert solution.text.startswith(f"The program prints\n```output\n{NO_BLOCK}\n```\n")
    assert solution.answer == "42"


def test_calls_are_limited(model):
    config = dataclasses.replace(WITH_TOOL, tool=Tool(calls=2))
    executor = Notebook(*[Execution("ok", "1")] * 3)
    solution = solve(model(lambda text, key: TIR[0], config), config, executor)
    assert (solution.outcome, solution.answer) == ("too_many_calls", "")
    assert (len(executor.asked), len(solution.path.steps)) == (2, 3)


def test_a_text_that_is_cut_is_overlong_unless_it_has_an_answer(model):
    short = dataclasses.replace(CONFIG, sampling=Sampling(max_tokens=3))
    assert solve(model(lambda text, key: COT, short), short).outcome == "overlong"
    rambling = model(lambda text, key: COT + " Well, well." * 200, CONFIG)
    assert solve(rambling, CONFIG).outcome == "answer"


def test_a_full_context_is_overlong(model, scripted):
    narrow = dataclasses.replace(WITH_TOOL, max_context=200)
    executor = Notebook(Execution("ok", "1" * 500))
    solution = solve(model(scripted.turns({"6": TIR}), narrow), narrow, executor)
    assert (solution.outcome, solution.answer) == ("overlong", "")
    asking_alone = dataclasses.replace(CONFIG, max_context=20)
    solution = solve(model(lambda text, key: COT, asking_alone), asking_alone)
    assert (solution.outcome, solution.text, solution.n_tokens) == ("overlong", "", 0)


@pytest.mark.parametrize(
    ("response", "marks", "answer"),
    [
        ("first \\boxed{1}, then \\boxed{\\frac{1}{2}}.", (), "\\frac{1}{2}"),
        ("It is \\boxed{7", (), ""),
        ("The answer is 7.", (), ""),
        ("The answer is 7.", ("The answer is",), "7"),
        ("The answer is 6. No, wait. The answer is: $x = 7$.\nDone", ("The answer is",), "$x = 7$"),
        ("#### 7", ("The answer is", "####"), "7"),
        ("The answer is 6, or \\boxed{7}", ("The answer is",), "7"),
        ("The answer is", ("The answer is",), ""),
    ],
)
def test_answers_are_read_from_boxes_and_from_marks_only_where_asked(response, marks, answer):
    assert read_answer(response, marks) == answer


def test_stop_texts_belong_to_the_style():
    with pytest.raises(ValueError, match="belong to the style"):
        PlainConfig(sampling=Sampling(stop=("x",)))
    assert WITH_TOOL.greedy_sampling == Sampling(temperature=0.0, max_tokens=400, stop=("\nQuestion:", "```output"))
    assert CONFIG.sample_sampling.stop == ("\nQuestion:",)


# --- In an evaluation -----------------------------------------------------------------------------------


def problems(n: int = 6) -> list[Problem]:
    return [Problem(f"p/{i}", f"What is {i} plus 10?", f"{i + 10}.0") for i in range(n)]


def unsteady(text: str, key: int) -> str:
    """Right half of the time, by the key; the code and its output of question i are i's own."""
    question = text.rpartition("What is ")[2].partition(" plus")[0]
    if "```output" not in text:
        return f"```python\nx = {question}\nprint(x)\n```\n```output\n"
    error = random.Random(key).choice([0, 1])
    if text.count("```output") == 1:
        return f"```python\nprint(x + 10 + {error})\n```\n```output\n"
    result = text.rpartition("```output\n")[2].partition("\n")[0]
    return "I do not know." if error and question == "3" else f"\\boxed{{{result}}}"


def run(model, folder: pathlib.Path, selected: list[Problem], concurrency: int = 64, **options):
    config = EvaluationConfig(
        methods=("greedy", "sample"),
        models="scripted",
        n_trajectories=4,
        score_samples=False,
        sampling=WITH_TOOL,
        concurrency=concurrency,
    )

    async def go():
        proposer = model(unsteady, WITH_TOOL)
        with GraderPool(semantics="strict") as strict, GraderPool(semantics="released") as released:
            async with ExecutorPool(ExecutorConfig(semantics="notebook", cells=2)) as pool:
                graders = Graders(strict, released)
                tools = Tools(proposer, proposer, None, pool, graders, clock=lambda: 0.0)  # rows without their time
                result = await evaluate(selected, config, tools, folder, **options)
        return result, proposer.engine.read

    return asyncio.run(go())


@pytest.fixture(scope="module")
def whole(tokenizer, scripted, tmp_path_factory):
    """An evaluation of all problems; `model` lives too short."""

    def make(write, config):
        engine = scripted.ScriptedEngine(tokenizer, write, tokenizer.pad_id)
        ends = [tokenizer.pad_id]
        return PlainProposer(engine, tokenizer, config.sample_sampling, 2000, config.style, ends, opened=True)

    return run(make, tmp_path_factory.mktemp("whole"), problems())[0]


def test_rows_are_those_of_any_evaluation(whole):
    for problem in problems():
        (greedy,), samples = whole.rows["greedy"][problem.id], whole.rows["sample"][problem.id]
        assert (greedy.steps, greedy.scored_tokens) == (3, 0)
        assert greedy.generated_tokens > 20
        assert len(samples) == 4
        for row in samples:
            assert row.strict == row.released == (row.answer == problem.answer.removesuffix(".0"))
            assert row.outcome == ("answer" if row.answer else "no_answer")
    strict = aggregate.pass_at_n(whole, 1).strict
    assert 0 < sum(strict) < len(strict)


def test_the_overview_counts_rows(whole):
    greedy, mean, majority = overviews(whole)
    rows = [row for rows in whole.of("sample") for row in rows]
    assert mean.strict.estimate == pytest.approx(sum(row.strict for row in rows) / len(rows))
    assert mean.without_answer == pytest.approx(sum(row.answer is None for row in rows) / len(rows))
    assert mean.outcomes["no_answer"] == sum(row.answer is None for row in rows) > 0
    assert (greedy.solutions, mean.solutions, mean.steps) == (6, 24, 3.0)
    assert greedy.strict.kind == "Wilson 95%"
    assert majority.strict.estimate >= mean.strict.estimate - 0.5
    text = table("six", 6, [greedy, mean, majority])
    assert text.startswith("six, 6 problems\n  greedy  ")
    assert "samples, majority of 4" in text


def test_a_problem_gets_the_same_alone_and_beside_others(whole, model, tmp_path):
    for problem in problems()[2:5]:
        alone, _ = run(model, tmp_path / problem.id.replace("/", "-"), [problem], concurrency=1)
        for method in ("greedy", "sample"):
            assert repr(alone.rows[method][problem.id]) == repr(whole.rows[method][problem.id])


def test_an_interrupted_evaluation_goes_on(whole, model, tmp_path):
    class Interrupt(Exception):
        pass

    def interrupt(done, total):
        if done == 2:
            raise Interrupt

    with pytest.raises(ExceptionGroup):
        run(model, tmp_path, problems(), concurrency=1, on_problem=interrupt)
    result, read = run(model, tmp_path, problems())
    asked = {text.rpartition("What is ")[2].partition(" plus")[0] for text in read}
    assert asked == {"2", "3", "4", "5"}
    assert repr(result) == repr(whole)


def test_a_plain_model_cannot_search():
    with pytest.raises(ValueError, match="writes no steps"):
        EvaluationConfig(sampling=CONFIG)
