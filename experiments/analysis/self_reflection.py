"""Self-reflection (section 5, Figure 4): solutions that leave a low-valued approach and recover, counted per round.

    python experiments/analysis/self_reflection.py --run-dir runs/cpu-s0

Reads the trees of every round, and the trajectories of evaluations by search if there are any (`reproduce_all.py`).
What counts is a rule of ours, as the paper has none (`rstar_jax/reproduction/reflection.py`; --low, --high, --rise).
Prints a table and the clearest examples with the value of each step, and writes both to RUN_DIR/reproduction/report.

Hardware: any; a minute for the built-in example. Expected there: few, since its model writes short solutions.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Iterator

import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.evaluation.render import markdown, text
from rstar_jax.evaluation.results import by_method, read_rows
from rstar_jax.evaluation.tables import Block, Table
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import write_json, write_text
from rstar_jax.problems.files import read_problems
from rstar_jax.reproduction.plan import HELD_OUT
from rstar_jax.reproduction.reflection import Counts, Recovery, ReflectionRule, Solved, count, of_rows, of_tree
from rstar_jax.search.progress import say
from rstar_jax.search.shards import trees_of

_COLUMNS = (
    "without values",
    "solutions",
    "get worse",
    "of these right",
    "recover",
    "of these right",
    "take something back",
    "of these right",
)

_NOTE = "by the PPM's values; rounds without a PPM have none"


@dataclasses.dataclass(frozen=True)
class Options:
    """run_dir: a run whose searches are over. low, high, rise: see the rule. show: examples of each round."""

    run_dir: pathlib.Path
    low: float = -0.2
    high: float = 0.3
    rise: float = 0.6
    show: int = 2


def sources(run: RunDir) -> Iterator[tuple[str, Iterator[Solved]]]:
    """What there is: the trees of rounds, then trajectories of searches at test time on the run's own problems."""
    for number in itertools.count(1):
        if not run.has_data(number):
            break
        yield f"round {number}, trees", itertools.chain.from_iterable(map(of_tree, trees_of(run.trees(number))))
    for file in sorted((run.root / "reproduction" / HELD_OUT).glob("*.search*/trajectories.parquet")):
        questions = {problem.id: problem.question for problem in read_problems(run.problems / "test.jsonl")}
        rows = by_method(read_rows(file))["search"]
        yield (
            f"test, {file.parent.name}",
            itertools.chain.from_iterable(of_rows(questions[name], found) for name, found in rows.items()),
        )


def table(counts: dict[str, Counts]) -> Table:
    """Counts as a table, shares of right solutions beside them."""
    rows = tuple(((name,), _figures(one)) for name, one in counts.items())
    block = Block("Distinct solutions", "", ("source",), _COLUMNS, rows, _NOTE)
    return Table("self_reflection", "Self-reflection (section 5, Figure 4)", (block,))


def _figures(one: Counts) -> tuple[str, ...]:
    shares = ((one.low, one.low_right), (one.recovered, one.recovered_right), (one.reflected, one.reflected_right))
    counts = (cell for whole, part in shares for cell in (str(whole), _share(part, whole)))
    return (str(one.unscored), str(one.solutions), *counts)


def example(one: Recovery) -> str:
    """Question and steps with their values, the low step and the switch marked; and what the switch was chosen over."""
    solution = one.solution
    verdict = {True: "right", False: "wrong", None: "not judged"}[solution.correct]
    lines = [f"{solution.problem}: {solution.question}", f"answer {solution.answer} ({verdict})"]
    for place, (step, value) in enumerate(zip(solution.steps, solution.values, strict=True)):
        mark = {one.low: "  <- low", one.switch: "  <- switch"}.get(place, "")
        shown = "[judged by the truth]" if math.isnan(value) else f"[{value:+.3f}]{mark}"
        lines += [shown, *_indented(step)]
    if one.is_reflection:
        lines.append(f"takes back: {', '.join(one.redoes) or 'a program that has printed'}")
    if solution.contrast and not math.isnan(solution.contrast[one.switch][0]):
        value, other = solution.contrast[one.switch]
        lines += [f"not taken at the switch: [{value:+.3f}]", *_indented(other)]
    return "\n".join(lines)


def _indented(step: str) -> list[str]:
    return [f"    {line}" for line in step.strip().splitlines()]


def analyse(options: Options) -> None:
    run, rule = RunDir(options.run_dir), ReflectionRule(options.low, options.high, options.rise)
    if not run.has_data(1) and not run.root.joinpath("reproduction").exists():
        raise InputError(f"{run.root}: no round of a run is searched there")
    counts, shown = {}, []
    for name, solutions in sources(run):
        counts[name], found = count(solutions, rule)
        shown += [f"--- {name}\n{example(one)}" for one in _of_different_problems(found)[: options.show]]
    made, folder = table(counts), run.root / "reproduction" / "report"
    print(text([made]))
    print("\n\n".join(shown))
    examples = "\n".join(f"```\n{one}\n```" for one in shown)
    write_text(folder / "self_reflection.md", f"{markdown([made])}\n{examples}\n")
    write_json(folder / "self_reflection.json", {name: dataclasses.asdict(one) for name, one in counts.items()})
    say(f"\nwritten to {folder}: self_reflection.md, self_reflection.json")


def _of_different_problems(found: list[Recovery]) -> list[Recovery]:
    first: dict[str, Recovery] = {}
    for one in found:
        first.setdefault(one.solution.problem, one)
    return list(first.values())


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else "–"


if __name__ == "__main__":
    chosen = tyro.cli(Options, description=__doc__)
    run_main(lambda: analyse(chosen))
