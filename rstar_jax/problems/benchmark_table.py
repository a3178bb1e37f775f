r"""The evaluation benchmarks: their files in the released layout, their sizes, and where the Hub has them.

Counts and checksums are those of the files that the authors released (microsoft/rStar, branch rStar-math, `eval_data`).
AIME 2025 is neither among them nor in the paper: its file name is ours, in their manner. "MATH" in the paper's tables
is MATH-500. Trajectories are those of section 4.1, 16 for AIME and AMC and 8 for the rest. The paper has Omni-Math only
with 64 (Table 1), and AIME 2025 and the 5,000 of MATH not at all; they follow the same rule.

Levels are ours, since the paper gives levels to training problems only: GSM-level for GSM8K, MATH-level for MATH and
for the problems of school and college, Olympiad-level for competitions.

| benchmark | on the Hub | rows | question | answer |
|---|---|---|---|---|
| gsm8k | openai/gsm8k, main | test | `question` | behind "####" |
| math | EleutherAI/hendrycks_math | test, seven subjects | `problem` | last \boxed of `solution` |
| math500 | HuggingFaceH4/MATH-500 | test | `problem` | `answer` |
| aime2024 | HuggingFaceH4/aime_2024 | train | `problem` | `answer` |
| aime2025 | math-ai/aime25 | test | `problem` | `answer` |
| amc2023 | math-ai/amc23 | test | `question` | `answer` |
| olympiadbench | math-ai/olympiadbench | test | `question` | first of `final_answer`, without dollar signs |
| collegemath | di-zhang-fdu/College_Math_Test | test | `question` | `answer` |
| gaokao2023en | MARIO-Math-Reasoning/Gaokao2023-Math-En | all | `question` | `answer` |
| omnimath | KbsdJames/Omni-MATH | test | `problem` | `answer` |

No test has loaded any of these from the Hub itself. Ids, files and fields are from the Hub's pages and from public
code that reads the sets; whether math-ai/olympiadbench has JSON lines or Parquet is not known, so both are asked for.
What they hold may differ from the released files. Expected is that MATH comes in another order, with one answer where
the released file takes any of two (four problems) or names all parts; that College Math's answers still have the
spaces that the released file has lost; and that Gaokao has the two answers that the released file lacks.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from rstar_jax.problems.problem import Level
from rstar_jax.problems.published import behind_hashes, boxed
from rstar_jax.rows import Row

# Hendrycks' own reader knows boxes without braces too.
_BARE_BOX = re.compile(r"\\boxed +([^{}$]+)\$")


@dataclasses.dataclass(frozen=True)
class HubSet:
    """Where the Hub has a benchmark: id of the data set, its files, field of the question, the answer of a row."""

    id: str
    patterns: tuple[str, ...]
    question: str
    answer: Callable[[Row], Any]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A benchmark, as it is named, found, counted and run.

    Attributes:
      name: on command lines and in ids. title: in tables.
      file: in a folder of the released layout.
      count: its rows. usable: those that have an answer.
      sha256: of the released file; None if none was released.
      hub: the same problems on the Hub.
      level: of all its problems.
      trajectories: searched for each problem.
    """

    name: str
    title: str
    file: str
    count: int
    usable: int
    sha256: str | None
    hub: HubSet
    level: Level
    trajectories: int


def _answer(row: Row) -> Any:
    return row.get("answer")


def _boxed_in_any_way(row: Row) -> str | None:
    found = boxed(row)
    if found is not None:
        return found
    bare = _BARE_BOX.findall(str(row.get("solution") or ""))
    return bare[-1] if bare else None


def _final_answer(row: Row) -> Any:
    """As Qwen2.5-Math's evaluation reads it, whose data the released file repeats."""
    answers = row.get("final_answer")
    first = (answers[0] if answers else None) if isinstance(answers, list) else answers
    return first.strip().strip("$") if isinstance(first, str) else first


_TABLE = (
    Benchmark(
        "gsm8k", "GSM8K", "GSM8K_test.json", 1319, 1319,
        "063e68ba7f84cfdbea2c135cabde56e1ada0d3bd6ad390d848fe5b5cfe7d18e5",
        HubSet("openai/gsm8k", ("main/test-*.parquet",), "question", behind_hashes),
        "GSM-level", 8,
    ),
    Benchmark(
        "math", "MATH (5,000)", "MATH_test.json", 5000, 5000,
        "fbfa495d964a70a80727358b6027272bb6d9be0f8c2bf28b9e2ca67d6933f5ac",
        HubSet("EleutherAI/hendrycks_math", ("*/test-*.parquet",), "problem", _boxed_in_any_way),
        "MATH-level", 8,
    ),
    Benchmark(
        "math500", "MATH-500", "math500_test.json", 500, 500,
        "f46b40fed502b874bbf85cf1410fa5de6e18fedf7907f2e47a691e2e47342676",
        HubSet("HuggingFaceH4/MATH-500", ("test.jsonl",), "problem", _answer),
        "MATH-level", 8,
    ),
    Benchmark(
        "aime2024", "AIME 2024", "aime2024_test.json", 30, 30,
        "0accce80b9de28204d3938d8f24c86f26dd26f60a9ede8e395da7053947b4ee0",
        HubSet("HuggingFaceH4/aime_2024", ("data/train-*.parquet",), "problem", _answer),
        "Olympiad-level", 16,
    ),
    Benchmark(
        "aime2025", "AIME 2025", "aime2025_test.json", 30, 30,
        None,
        HubSet("math-ai/aime25", ("test.jsonl",), "problem", _answer),
        "Olympiad-level", 16,
    ),
    Benchmark(
        "amc2023", "AMC 2023", "amc23_test.json", 40, 40,
        "a0d287201bf36654a15af6716df53829acd3dbf27826f09f68a54674f4a33a70",
        HubSet("math-ai/amc23", ("test-*.parquet",), "question", _answer),
        "Olympiad-level", 16,
    ),
    Benchmark(
        "olympiadbench", "Olympiad Bench", "olympiadbench_test.json", 675, 675,
        "93ffbef42f6dfc1044c03565dd732ff5eda0e419b783ff766b145fd6cd904554",
        HubSet("math-ai/olympiadbench", ("test*.jsonl", "test*.parquet"), "question", _final_answer),
        "Olympiad-level", 8,
    ),
    Benchmark(
        "collegemath", "College Math", "collegemath_test.json", 2818, 2818,
        "36cf22b0b740336cea069cc011dc7c168926c8aca59b36b2175c8205625dcc23",
        HubSet("di-zhang-fdu/College_Math_Test", ("college-math-test.jsonl",), "question", _answer),
        "MATH-level", 8,
    ),
    Benchmark(
        "gaokao2023en", "Gaokao En 2023", "gaokao2023en_test.json", 385, 383,
        "45efa128727c8f3745b949abb91543b508f9376c6dcc7c0ce443f53df3605888",
        HubSet("MARIO-Math-Reasoning/Gaokao2023-Math-En", ("Gaokao2023-Math-En.jsonl",), "question", _answer),
        "MATH-level", 8,
    ),
    Benchmark(
        "omnimath", "Omni-Math", "omni_test.json", 4428, 4419,
        "83077160eda7ecbd0b5abaa3750a1ee950b2b1ae30adc8b44c72543ecfd1b916",
        HubSet("KbsdJames/Omni-MATH", ("test.jsonl",), "problem", _answer),
        "Olympiad-level", 8,
    ),
)  # fmt: skip

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _TABLE}
