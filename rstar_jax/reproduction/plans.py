"""The paper's benchmarks and numbers as a plan, and the variants of the search that are compared."""

from __future__ import annotations

import dataclasses

from rstar_jax.problems.benchmark_table import BENCHMARKS
from rstar_jax.reproduction.plan import Column, Other, StudyPlan
from rstar_jax.reproduction.published import PHI3, QWEN2_7B, QWEN_1_5B
from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig

NEVER = 1_000_000  # consecutive failing steps: no step is ever refused for its code

_IN_PAPER = {
    "math500": "MATH",
    "aime2024": "AIME24",
    "aime2025": None,
    "amc2023": "AMC23",
    "olympiadbench": "Olympiad",
    "collegemath": "College",
    "gsm8k": "GSM8K",
    "gaokao2023en": "GaokaoEn",
}


def paper_plan(search: SearchConfig) -> StudyPlan:
    """What the paper reports (section 4.1): 8 trajectories, 16 for AIME and AMC, 64 for the headline.

    The benchmarks are those of its tables and AIME 2025, which came after it.
    """
    return StudyPlan(
        columns=tuple(_column(name, paper) for name, paper in _IN_PAPER.items()),
        search=search,
        methods=methods(),
        variants=variants(search, (0.5, 1.0, 4.0, 8.0), (8, 32), (4, 8, 16), (1, 2, 8, 16)),
        others=(
            Other("qwen2_5_math_1_5b", QWEN_1_5B),
            Other("phi3_mini", PHI3),
            Other("qwen2_math_7b", QWEN2_7B),
        ),
        omni=_column("omnimath", "Omni-Math"),
        more={name: one.trajectories for name, one in BENCHMARKS.items()},
    )


def _column(name: str, paper: str | None) -> Column:
    return Column(BENCHMARKS[name].title, name, paper=paper)


def methods(width: int = 8, candidates: int = 8, max_depth: int = 16) -> dict[str, SearchConfig]:
    """Step beam search and diverse verifier tree search; see `search.presets`."""
    return {
        "beam": dataclasses.replace(presets.beam(width, candidates), max_depth=max_depth),
        "dvts": dataclasses.replace(presets.dvts(candidates), max_depth=max_depth),
    }


def variants(
    search: SearchConfig,
    c: tuple[float, ...] = (),
    depths: tuple[int, ...] = (),
    candidates: tuple[int, ...] = (),
    rollouts: tuple[int, ...] = (),
) -> dict[str, SearchConfig]:
    """Changes of one setting each, and a search that keeps steps whose code fails."""
    changed = [(f"c={value:g}", {"c_puct": value}) for value in c]
    changed += [(f"depth={value}", {"max_depth": value}) for value in depths]
    changed += [(f"candidates={value}", {"candidates": value}) for value in candidates]
    changed += [(f"rollouts={value}", {"rollouts": value}) for value in rollouts]
    changed.append(("failing steps kept", {"errors_threshold": NEVER}))
    return {name: dataclasses.replace(search, **fields) for name, fields in changed}
