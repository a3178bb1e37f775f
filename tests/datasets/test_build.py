"""Training files from trees, and the reasons beside them."""

from __future__ import annotations

from rstar_jax.datasets.build import Counts, build
from rstar_jax.files import read_jsonl


def test_files_and_reasons(grow, tmp_path) -> None:
    plans = {
        "mixed": {"a": {"r": True}, "b": {"w": False}},
        "easy": {"a": {"r": True}},
        "hard": {"a": {"w": False}},
        "empty": {"a": {}},
    }
    groups = [[grow(plan, problem_id=name)] for name, plan in plans.items()]
    counts = build(iter(groups), tmp_path)
    sft, pairs, selection = (read_jsonl(tmp_path / f"{name}.jsonl") for name in ("sft", "pairs", "selection"))
    assert counts == Counts(problems=4, solved=2, mixed=1, sft_rows=2, pair_rows=2)
    assert [row["problem"] for row in sft] == ["mixed", "easy"]
    assert [row["kind"] for row in pairs] == ["step", "final"]
    assert {row["problem"]: row["pairs_why"] for row in selection} == {
        "mixed": "mixed outcomes",
        "easy": "only correct trajectories",
        "hard": "only wrong trajectories",
        "empty": "no trajectory",
    }
    assert selection[2]["sft_why"] == "no correct trajectory"
