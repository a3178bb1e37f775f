r"""Solutions by a model without rStar training, in its own format: the base rows of Tables 3, 5, 7 and 10.

The model writes; with a tool it stops where it wants to see the output of its Python, which is run and shown, and goes
on. The answer is what stands in the last `\boxed{}`.
"""

from __future__ import annotations

import dataclasses
import itertools

from rstar_jax.grading import extract_answer
from rstar_jax.inference.config import Sampling
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Executor, Finish, Path, Proposer, sample_key
from rstar_jax.search.sampling import Ending, Sample
from rstar_jax.trajectory.code_blocks import OUTPUT_FENCE, code_of, show_output
from rstar_jax.trajectory.plain_prompts import Chat, Style

NO_BLOCK = "Error: there is no Python block to run"
_WITHOUT_ANSWER: dict[Finish, Ending] = {"stop": "no_answer", "length": "overlong", "overlong": "overlong"}


@dataclasses.dataclass(frozen=True)
class Tool:
    """Python for the model.

    calls: outputs that a solution gets at most; one that asks for more ends. keep_state: blocks find what those before
    have left, but for blocks that failed, as in a notebook; Qwen's evaluation runs each in a fresh interpreter.
    silent: shown for a block that prints nothing (Qwen's word).
    """

    calls: int = 4
    keep_state: bool = True
    silent: str = "Done"

    def __post_init__(self) -> None:
        if self.calls < 1:
            raise ValueError(f"calls={self.calls}: a tool that is never called is no tool")


@dataclasses.dataclass(frozen=True)
class PlainConfig:
    """How the model is asked, and how its solutions are read.

    answer_marks: words behind which, up to the end of the line, an answer without a box stands ("The answer is"); none
    by default. sampling: how samples are drawn; `max_tokens` is for each stretch between two outputs, and the texts
    that end one are those of style and tool. max_context: tokens of prompt and response together.
    """

    style: Style = Chat()
    tool: Tool | None = None
    answer_marks: tuple[str, ...] = ()
    sampling: Sampling = Sampling(temperature=0.7, top_p=0.8, max_tokens=2048)
    max_context: int = 4096

    def __post_init__(self) -> None:
        if self.sampling.stop:
            raise ValueError("stop texts belong to the style, not to sampling")

    @property
    def sample_sampling(self) -> Sampling:
        """What the proposer of samples needs."""
        return dataclasses.replace(self.sampling, stop=(*self.style.stop, *([OUTPUT_FENCE] if self.tool else [])))

    @property
    def greedy_sampling(self) -> Sampling:
        """What the greedy proposer needs."""
        return dataclasses.replace(self.sample_sampling, temperature=0.0)


async def plain_solution(
    problem: Problem, proposer: Proposer, executor: Executor, config: PlainConfig, key: int
) -> Sample:
    """Let the model write one solution; its steps are the stretches between two outputs, each with the output behind.

    The proposer must stop as `config` says (`sample_sampling`), and the executor must show what a snippet printed
    itself (`ExecutorConfig(semantics="notebook")`). Outcomes: "answer", also where something else has ended the text
    behind an answer; else "no_answer", "overlong" or "too_many_calls".
    """
    path, history, n_tokens, logprob, n_calls = Path(problem), (), 0, 0.0, 0
    for number in itertools.count():
        (proposal,) = await proposer.propose(path, 1, sample_key(key, number))
        n_tokens += proposal.n_tokens
        logprob += proposal.logprob
        ending: Ending = _WITHOUT_ANSWER[proposal.finish]
        asks = proposal.finish == "stop" and proposal.text.endswith(OUTPUT_FENCE)
        if config.tool is None or not asks:
            path = path.child(_without_stop(proposal.text, config.style.stop))
            break
        if number == config.tool.calls:
            path, ending = path.child(proposal.text), "too_many_calls"
            break
        n_calls += code_of(proposal.text) is not None
        output, history = await _run(proposal.text, history, executor, config.tool)
        path = path.child(show_output(proposal.text, output))
    answer = read_answer(path.text, config.answer_marks)
    return Sample(path, answer, "answer" if answer else ending, n_tokens, logprob, n_calls)


def read_answer(response: str, marks: tuple[str, ...] = ()) -> str:
    r"""The last `\boxed{}`; without one, what follows the last of the marks on its line; "" without that."""
    boxed = extract_answer(response)
    if boxed is not None:
        return boxed
    rest = min((response.rpartition(mark)[2] for mark in marks if mark in response), key=len, default="")
    return rest.partition("\n")[0].lstrip(": ").rstrip(". ")


async def _run(
    text: str, history: tuple[str, ...], executor: Executor, tool: Tool
) -> tuple[str, tuple[str, ...]]:
    """What the new code printed, or its error; and the programs that the next code goes on from."""
    code = code_of(text)
    if code is None:
        return NO_BLOCK, history
    (execution,) = await executor.expand(history, [code])
    if tool.keep_state and execution.outcome == "ok":
        history = (*history, code)
    return execution.output or tool.silent, history


def _without_stop(text: str, stops: tuple[str, ...]) -> str:
    for stop in stops:
        if text.endswith(stop):
            return text.removesuffix(stop)
    return text
