r"""Asks a large model for new problems, and keeps those on whose answer enough of its solutions agree (section 3.4.1).

    python experiments/synthesize_problems.py --seeds math_train.json --out runs/synthetic \
        --base-url http://localhost:8000/v1 --model Qwen/Qwen2.5-72B-Instruct

Any OpenAI-compatible server does (vLLM, SGLang, an API; then `--api-key-variable NAME` says which environment variable
holds the key). Each seed problem costs eleven requests an attempt. Every attempt is in OUT/attempts.jsonl with all its
answers, kept or not; the same command goes on where it was interrupted, and nothing is asked twice. OUT/problems.jsonl
holds what was kept, for `prepare_problems.py --add`, which drops copies and what gives the evaluation away.

Expected: a line with the kept share. The paper says how problems are kept (10 solutions, 3 agree), not how many were.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import pathlib
from typing import Any

import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.evolution.bootstrap.chat import Chat
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig
from rstar_jax.evolution.bootstrap.server import Limits
from rstar_jax.evolution.synthesis import SynthesisConfig, kept_problems, synthesise
from rstar_jax.files import read_json, write_json
from rstar_jax.journal import Journal
from rstar_jax.problems.files import read_problems, write_problems
from rstar_jax.search.progress import make_progress, say


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Attributes:
    seeds: problem files to start from.
    out: folder of the result.
    base_url, model: of the server, up to and including "/v1".
    api_key_variable: the environment variable with the API key, if one is needed.
    max_tokens: of a reply.
    concurrency: attempts under way; up to ten requests each.
    attempts, solutions, agree, temperature, seed: see `rstar_jax.evolution.synthesis`.
    """

    seeds: tuple[pathlib.Path, ...]
    out: pathlib.Path
    base_url: str
    model: str
    api_key_variable: str = ""
    max_tokens: int = 4096
    concurrency: int = 16
    attempts: int = SynthesisConfig.attempts
    solutions: int = SynthesisConfig.solutions
    agree: int = SynthesisConfig.agree
    temperature: float = SynthesisConfig.temperature
    seed: int = SynthesisConfig.seed


def claim(flags: Flags, config: SynthesisConfig) -> None:
    """Attempts of two models or settings are not mixed; only more of them may be asked for."""
    path, wanted = flags.out / "settings.json", {"model": flags.model, **dataclasses.asdict(config)}
    if path.exists():
        before = read_json(path)
        changed = [name for name in wanted if name != "attempts" and before.get(name) != wanted[name]]
        if changed:
            raise InputError(
                f"{flags.out} was begun otherwise (its {', '.join(changed)} differ); choose another folder"
            )
    write_json(path, wanted)


async def run(flags: Flags) -> None:
    try:
        config = SynthesisConfig(flags.attempts, flags.solutions, flags.agree, flags.temperature, flags.seed)
    except ValueError as error:
        raise InputError(str(error)) from None
    seeds = [problem for file in flags.seeds for problem in read_problems(file)]
    limits = Limits(concurrent=flags.concurrency * flags.solutions)
    server = OpenAIConfig(
        flags.base_url,
        flags.model,
        "chat",
        api_key_variable=flags.api_key_variable,
        max_tokens=flags.max_tokens,
        limits=limits,
    )
    claim(flags, config)
    with Journal(flags.out / "attempts.jsonl") as journal:
        done = sum(1 for _ in journal.rows())
        progress = make_progress(len(seeds) * config.attempts, done, "synthesise")
        try:
            async with Chat(server) as chat:
                await synthesise(
                    seeds,
                    config,
                    chat.ask,
                    journal,
                    flags.concurrency,
                    lambda row: progress.advance("why_not" not in row, 0),
                )
        finally:
            progress.close()
        rows = list(journal.rows())
    problems = kept_problems(rows)
    write_problems(flags.out / "problems.jsonl", problems)
    say(about(rows, len(problems)))
    say(f"problems: {flags.out / 'problems.jsonl'}")


def about(rows: list[dict[str, Any]], kept: int) -> str:
    """What came of all attempts, in a sentence."""
    reasons = collections.Counter(row["why_not"] for row in rows if "why_not" in row)
    lost = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    return f"{kept:,} problems of {len(rows):,} attempts" + (f" ({lost})" if lost else "")


if __name__ == "__main__":
    run_main(lambda: asyncio.run(run(tyro.cli(Flags, description=__doc__))))
