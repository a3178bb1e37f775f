"""Rounds as values, and coverage of their trees."""

import dataclasses

import pytest

from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.rounds import Round, paper_rounds
from rstar_jax.evolution.summarise import coverage
from rstar_jax.models.config import ModelConfig
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.store import read_summary, write_trees
from rstar_jax.search.tree import ROOT, NewNode, expand, new_tree


def tree(name, level, correct, index=0):
    grown = new_tree(Problem(name, "?", "1", level), presets.paper(1), index=index)
    (leaf,) = expand(grown, ROOT, [NewNode("<answer>", "answer", answer="1")])
    grown.correct[leaf] = correct
    return grown


def test_the_papers_rounds():
    rounds = paper_rounds()
    sizes = [(r.search.rollouts, r.search.candidates, r.trees, r.more_trees, r.escalation) for r in rounds]
    assert sizes == [(8, 5, 1, 1, ()), (16, 8, 1, 1, ()), (16, 8, 1, 1, ()), (16, 16, 2, 0, (80, 128))]
    assert [r.searchers for r in rounds] == ["bootstrap", "SLM-r1", "SLM-r2, PPM-r2", "SLM-r3, PPM-r3"]


def test_a_number_of_trees_has_to_be_possible():
    for impossible in ({"trees": 0}, {"more_trees": -1}):
        with pytest.raises(ValueError, match="cannot have"):
            dataclasses.replace(paper_rounds()[1], **impossible)


def test_escalation_has_to_ascend():
    with pytest.raises(ValueError, match="ascend"):
        dataclasses.replace(paper_rounds()[3], escalation=(10,))
    assert Round(2, "policy", presets.paper(2), escalation=(17,)).escalation == (17,)


def test_states_can_be_merged_only_where_they_have_names():
    merging = Round(1, "bootstrap", dataclasses.replace(presets.paper(1), merge_states=True))
    with pytest.raises(ValueError, match=r"ExecutorConfig\.states"):
        EvolutionConfig("x", ModelConfig(8, 8, 1, 1, 1, 8, 8), rounds=(merging,))


def test_the_ppm_learns_the_pairs_of_its_own_round_or_of_all_so_far():
    config = EvolutionConfig("x", ModelConfig(8, 8, 1, 1, 1, 8, 8))
    assert list(config.pair_rounds(3)) == [3]  # section 3.4.2
    assert list(dataclasses.replace(config, pairs_from="all").pair_rounds(3)) == [1, 2, 3]


def test_coverage_is_by_level_and_over_all_trees_of_a_problem(tmp_path):
    trees = [
        tree("a", "GSM-level", False),
        tree("a", "GSM-level", True, index=1),
        tree("b", "GSM-level", False),
        tree("c", "Olympiad-level", True),
    ]
    write_trees(tmp_path / "t.parquet", trees)
    by_level = coverage(read_summary(tmp_path / "t.parquet"))
    found = {level: (share.solved, share.total) for level, share in by_level.items()}
    assert found == {"GSM-level": (1, 2), "Olympiad-level": (1, 1)}
