"""The problems of a run: made or read once, then in its directory."""

from __future__ import annotations

from rstar_jax.evolution.config import ProblemsConfig
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.problems.files import read_problems, write_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.reasoning_gym import make_split
from rstar_jax.problems.splits import check_disjoint


def load_problems(run: RunDir, wanted: ProblemsConfig, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Train and test problems, which share no question."""
    train_path, test_path = run.problems / "train.jsonl", run.problems / "test.jsonl"
    if not test_path.exists():
        train, test = _make(wanted, seed)
        write_problems(train_path, train)
        write_problems(test_path, test)
    return read_problems(train_path), read_problems(test_path)


def _make(wanted: ProblemsConfig, seed: int) -> tuple[list[Problem], list[Problem]]:
    if wanted.train_file is None or wanted.test_file is None:
        return make_split(wanted.train_per_level, wanted.test_per_level, seed)
    train, test = read_problems(wanted.train_file), read_problems(wanted.test_file)
    check_disjoint(train, test)
    return train, test
