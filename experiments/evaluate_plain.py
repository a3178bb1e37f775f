r"""Evaluate a base or instruct model that has seen no rStar data, in its own format.

    python experiments/evaluate_plain.py --model FOLDER_OR_HUB_ID --problems math500.json --out runs/plain

`--style chat` asks through the model's chat template; `--style completion` by plain text with two solved examples, for
a base model without a template. With `--tool` the model may write Python blocks, whose output it is shown. The answer
is what stands in the last `\boxed{}`.

Prints for each file: accuracy by both graders with 95 % intervals, the share of solutions without an answer (if most
have none, look at some with `--show 3`: the model may want another format) and the mean number of generated tokens. The
paper's base rows are in its Tables 3, 5, 7 and 10; it does not say with which prompts they were made.

Hardware: what holds the model, and `--memory-fraction` of the device's memory for keys and values. The same command
continues an evaluation that was interrupted. OUT gets a folder for each file of problems, with a row a solution, and
`plain.json` with the printed numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Literal

import jax
import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.evaluation.aggregate import EvaluationResult
from rstar_jax.evaluation.methods import Graders
from rstar_jax.evaluation.overview import overviews, table
from rstar_jax.evaluation.plain import PlainConfig, Tool, plain_solution
from rstar_jax.evaluation.results import Parts
from rstar_jax.evaluation.run import EvaluationConfig, Tools, evaluate
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.files import write_json
from rstar_jax.grading import GraderPool
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.inference.meter import Meter
from rstar_jax.inference.plain import PlainProposer, end_tokens
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import describe, load_model
from rstar_jax.problems.files import read_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.search.progress import make_progress, say
from rstar_jax.search.protocols import sample_key
from rstar_jax.trajectory import plain_prompts
from rstar_jax.trajectory.plain_prompts import Chat, Completion, Style, make_prompt
from rstar_jax.trajectory.tokenizer import load_tokenizer

_ROOT = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Flags:
    """The model, the problems, and how they are asked."""

    model: str  # folder of the model, or its id on the Hub
    problems: Annotated[tuple[pathlib.Path, ...], tyro.conf.UseAppendAction]  # .json or .jsonl; may be repeated
    out: pathlib.Path  # folder for the results
    style: Literal["chat", "completion"] = "chat"
    tool: bool = False  # run the Python that the model writes, and show it the output
    calls: int = 4  # outputs that a solution gets at most
    keep_state: bool = True  # Python finds what earlier blocks have left; Qwen's evaluation begins each block anew
    shots: int = 2  # solved examples in the prompt (completion style)
    instruction: str | None = None  # instead of Qwen's published ones (chat), or ours; should ask for a box
    instruction_in: Literal["system", "user"] = "system"  # "user" for chat templates without a system's message
    # words behind which an answer without a box counts too, such as "The answer is"; may be repeated
    answer_mark: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    n_samples: int = 0  # sampled solutions of each problem, beside the greedy one
    temperature: float = 0.7  # of samples
    top_p: float = 0.8  # of samples
    max_tokens: int = 2048  # of a solution; with the tool, between two outputs
    context: int = 4096  # tokens of prompt and solution together
    limit: int | None = None  # only the first so many problems of each file
    show: int = 0  # print prompt and greedy solution of so many problems of each file first
    seed: int = 0
    concurrency: int = 64  # problems at a time
    memory_fraction: float = 0.3  # share of the device's memory for keys and values
    dtype: Literal["float32", "bfloat16"] | None = None  # by default as the model is stored
    mesh: tuple[int, int, int] = (1, 1, 1)  # sizes of the axes data, fsdp, tensor
    require_sandbox: bool = False  # refuse to run Python where the sandbox would have a hole


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all files of problems are evaluated with."""

    engine: PolicyEngine
    greedy: PlainProposer
    sampler: PlainProposer
    executor: ExecutorPool
    graders: Graders


@contextlib.contextmanager
def _from_flags() -> Iterator[None]:
    """A value that a config refuses has come from a flag."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"a flag has an impossible value: {error}") from error


def style_of(flags: Flags) -> Style:
    """The style, with the prompts that belong to it; an instruction on the command line takes the place of ours."""
    given = flags.instruction
    if flags.style == "chat":
        own = plain_prompts.REASON_WITH_PROGRAMS if flags.tool else plain_prompts.REASON
        return Chat(own if given is None else given, flags.instruction_in)
    own = plain_prompts.WRITE_PROGRAMS if flags.tool else plain_prompts.REASON
    examples = plain_prompts.EXAMPLES_WITH_PROGRAMS if flags.tool else plain_prompts.EXAMPLES
    if not 0 <= flags.shots <= len(examples):
        raise InputError(f"--shots {flags.shots}: there are {len(examples)} examples")
    return Completion(own if given is None else given, examples[: flags.shots])


def plain_config(flags: Flags) -> PlainConfig:
    with _from_flags():
        tool = Tool(flags.calls, flags.keep_state) if flags.tool else None
        sampling = Sampling(flags.temperature, flags.top_p, max_tokens=flags.max_tokens)
        return PlainConfig(style_of(flags), tool, flags.answer_mark, sampling, flags.context)


def evaluation_config(flags: Flags, plain: PlainConfig) -> EvaluationConfig:
    sampled = flags.n_samples != 0
    with _from_flags():
        return EvaluationConfig(
            methods=("greedy", "sample") if sampled else ("greedy",),
            models=flags.model,
            n_trajectories=flags.n_samples if sampled else 1,
            score_samples=False,
            sampling=plain,
            seed=flags.seed,
            concurrency=flags.concurrency,
        )


def engine_config(flags: Flags) -> EngineConfig:
    with _from_flags():
        return EngineConfig(max_length=flags.context, memory_fraction=flags.memory_fraction)


def read_all(flags: Flags) -> dict[str, list[Problem]]:
    """The problems by the name of their file, without its ending."""
    if flags.limit is not None and flags.limit < 1:
        raise InputError(f"--limit {flags.limit}: no problems are left")
    found: dict[str, list[Problem]] = {}
    for path in flags.problems:
        if path.stem in found:
            raise InputError(f"{path}: another file of problems has the same name, by which results are kept")
        found[path.stem] = read_problems(path, skip_unusable=True)[: flags.limit]
    if not found:
        raise InputError("no --problems are given")
    return found


@contextlib.asynccontextmanager
async def open_bench(flags: Flags, plain: PlainConfig, sizes: EngineConfig) -> AsyncIterator[Bench]:
    """Model, executor and graders run. What can be wrong with the model's folder is found before its weights load."""
    found = describe(flags.model, dtype=flags.dtype)
    folder, longest = found.folder, found.config.max_length
    if found.head != "lm":
        raise InputError(f"{flags.model} is a PPM, which writes nothing")
    if flags.context > longest:
        raise InputError(f"--context {flags.context}: the model was made for {longest} tokens")
    prompt = make_prompt(plain.style, folder)
    tokenizer = load_tokenizer(folder)
    ends = end_tokens(folder, tokenizer)
    mesh = make_mesh(*flags.mesh)
    with jax.set_mesh(mesh), GraderPool(semantics="strict") as strict, GraderPool(semantics="released") as released:
        model, params = load_model(folder, mesh, dtype=flags.dtype, max_length=flags.context, stacked=False)
        engine = PolicyEngine(model, params, sizes, ends, mesh, tokenizer.decode)
        seconds = sum(engine.warm_up().values())
        say(f"engine: {engine.describe()}, {engine.compilations} programs in {seconds:.1f} s")

        def proposer(sampling: Sampling) -> PlainProposer:
            opened = isinstance(plain.style, Completion)
            return PlainProposer(engine, tokenizer, sampling, plain.max_context, prompt, ends, opened)

        executor = ExecutorConfig(semantics="notebook", require_sandbox=flags.require_sandbox)
        async with engine, ExecutorPool(executor) as pool:
            greedy, sampler = proposer(plain.greedy_sampling), proposer(plain.sample_sampling)
            yield Bench(engine, greedy, sampler, pool, Graders(strict, released))


async def show(problems: Sequence[Problem], config: EvaluationConfig, plain: PlainConfig, bench: Bench) -> None:
    """Print what the model is given and what it writes."""
    for problem in problems:
        key = sample_key(config.seed, problem.id, "greedy")
        solution = await plain_solution(problem, bench.greedy, bench.executor, plain, key)
        say(f"--- prompt\n{bench.greedy.prompt(problem.question)}\n--- solution\n{solution.text}")
        say(f"--- {solution.outcome}; read as the answer: {solution.answer!r}; right is {problem.answer!r}\n")


async def evaluate_file(
    name: str, problems: Sequence[Problem], config: EvaluationConfig, bench: Bench, folder: pathlib.Path
) -> EvaluationResult:
    done = len(Parts(folder / "parts").done(problems))
    progress = make_progress(len(problems), done, f"evaluate {name}", Meter({"model": bench.engine.metrics}))
    try:
        tools = Tools(bench.greedy, bench.sampler, None, bench.executor, bench.graders)
        return await evaluate(problems, config, tools, folder, lambda count, total: progress.advance(0, 0))
    finally:
        progress.close()


async def evaluate_all(flags: Flags) -> None:
    files, plain = read_all(flags), plain_config(flags)
    config, sizes = evaluation_config(flags, plain), engine_config(flags)
    found = {}
    async with open_bench(flags, plain, sizes) as bench:
        for name, problems in files.items():
            await show(problems[: max(0, flags.show)], config, plain, bench)
            result = await evaluate_file(name, problems, config, bench, flags.out / name)
            found[name] = overviews(result)
            say(table(name, len(problems), found[name]))
    numbers = {name: [dataclasses.asdict(one) for one in ways] for name, ways in found.items()}
    write_json(flags.out / "plain.json", numbers)
    say(f"rows of all solutions: {flags.out}/*/trajectories.parquet; these numbers: {flags.out / 'plain.json'}")


def go() -> None:
    flags = tyro.cli(Flags, description=__doc__)
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # only its tokenizers are used: no PyTorch is fine
    set_up_jax(str(_ROOT / "runs" / ".compiled"))
    asyncio.run(evaluate_all(flags))


if __name__ == "__main__":
    run_main(go)
