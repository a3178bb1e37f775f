"""Selection, back-up and closing in closed form."""

from __future__ import annotations

import math

import pytest

from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import (
    ROOT,
    NewNode,
    Tree,
    backup,
    close,
    exhausted,
    expand,
    new_tree,
    path,
    q,
    select,
    tag,
    uct,
)


def tree_of(children: int = 3, **settings: object) -> Tree:
    """A root with children 1, 2, … that were never visited."""
    tree = new_tree(Problem("p", "What?", "2"), SearchConfig(**settings))
    expand(tree, ROOT, [NewNode(f"s{place}<end_of_step>", "step") for place in range(children)])
    return tree


def test_backup_adds_one_visit_to_the_node_and_its_ancestors():
    tree = tree_of()
    (leaf,) = expand(tree, 2, [NewNode("a", "answer")])
    backup(tree, leaf, 1.0)
    backup(tree, leaf, -0.5)
    assert [tree.visits[node] for node in (ROOT, 1, 2, leaf)] == [2, 0, 2, 2]
    assert [q(tree, node) for node in (ROOT, 1, 2, leaf)] == [0.25, 0.0, 0.25, 0.25]
    assert tree.first_value[ROOT] == 1.0
    assert math.isnan(tree.first_value[1])


def test_backup_of_the_node_alone():
    tree = tree_of()
    backup(tree, 1, -1.0, to_root=False)
    assert (tree.visits[1], tree.visits[ROOT]) == (1, 0)


def test_puct_weighs_exploration_by_the_share_of_proposals():
    tree = new_tree(Problem("p", "What?", "2"), SearchConfig(c_puct=1.5, exploration="puct", unvisited="parent"))
    expand(tree, ROOT, [NewNode("a", "step", count=3), NewNode("b", "step", count=1)])
    backup(tree, 2, 0.25, to_root=False)
    assert uct(tree, 1) == pytest.approx(1.5 * 0.75)
    assert uct(tree, 2) == pytest.approx(0.25 + 1.5 * 0.25 / 2)
    for value in (1.0, -1.0, 1.0):
        backup(tree, 1, value)
    assert uct(tree, 1) == pytest.approx(1 / 3 + 1.5 * 0.75 * math.sqrt(3) / 4)


def test_uct_is_equation_1():
    tree = tree_of(c_puct=2.0)
    for value in (1.0, -1.0, 1.0):
        backup(tree, 1, value)
    backup(tree, 2, 0.5)
    assert uct(tree, 1) == pytest.approx(1 / 3 + 2 * math.sqrt(math.log(4) / 3))
    assert uct(tree, 2) == pytest.approx(0.5 + 2 * math.sqrt(math.log(4)))


def test_exploration_needs_a_visited_parent():
    tree = tree_of()
    backup(tree, 1, 0.3, to_root=False)
    assert uct(tree, 1) == 0.3


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("zero", 0.0),
        ("inf", math.inf),
        ("parent", -0.5 + 2 * math.sqrt(math.log(2))),
        ("prior", 0.75 + 2 * math.sqrt(math.log(2))),
    ],
)
def test_unvisited_child(rule: str, expected: float):
    tree = tree_of(unvisited=rule)
    backup(tree, 1, -1.0)
    backup(tree, 1, 0.0)
    tree.ppm[2] = 0.75
    assert uct(tree, 2) == pytest.approx(expected)


def test_prior_falls_back_on_the_parent():
    tree = tree_of(unvisited="prior")
    backup(tree, 1, -1.0)
    assert uct(tree, 3) == -1.0


def test_released_search_prefers_a_visited_child_that_is_not_negative():
    tree = tree_of(unvisited="zero")
    backup(tree, 1, 0.0)
    backup(tree, 1, 0.0)
    assert select(tree, ROOT) == 1


def test_released_search_leaves_a_child_with_negative_score():
    tree = tree_of(unvisited="zero")
    backup(tree, 1, -1.0)
    assert select(tree, ROOT) == 2


def test_ties_first_random_count():
    assert select(tree_of(ties="first"), ROOT) == 1
    chosen = set()
    for rollout in range(30):
        tree = tree_of(ties="random")
        tree.rollouts = rollout
        assert select(tree, ROOT) == select(tree, ROOT)
        chosen.add(select(tree, ROOT))
    assert chosen == {1, 2, 3}
    tree = tree_of(ties="count")
    tree.count[2] = tree.count[3] = 5
    assert select(tree, ROOT) == 2


def test_closed_children_are_not_selected():
    tree = tree_of()
    close(tree, 1)
    assert select(tree, ROOT) == 2
    close(tree, 2)
    close(tree, 3)
    assert select(tree, ROOT) is None


def test_exhausted_at_once_closes_ancestors():
    tree = tree_of(1)
    (inner,) = expand(tree, 1, [NewNode("b", "step")])
    assert not exhausted(tree, inner)  # not expanded yet
    expand(tree, inner, [NewNode("c", "answer"), NewNode("d", "error")])
    assert exhausted(tree, inner)
    close(tree, inner)
    assert tree.closed == [True] * 5


def test_exhausted_lazy_closes_one_node():
    tree = tree_of(1, exhausted="lazy")
    expand(tree, 1, [NewNode("c", "answer")])
    close(tree, 1)
    assert tree.closed == [False, True, True]


def test_leaves_are_closed_from_the_start():
    tree = tree_of(0)
    kinds = ["thought", "step", "code", "answer", "error", "too_many_steps", "overlong"]
    expand(tree, ROOT, [NewNode("x", kind) for kind in kinds])
    assert tree.closed[1:] == [False] * 3 + [True] * 4


def test_path_and_tag():
    tree = tree_of()
    first, second = expand(tree, 2, [NewNode("a", "step"), NewNode("b", "step")])
    assert path(tree, second).steps == ("s1<end_of_step>", "b")
    assert (tag(tree, ROOT), tag(tree, first), tag(tree, second)) == ("0", "0.2.1", "0.2.2")
    assert tree.depth[second] == 2


@pytest.mark.parametrize("field", ["rollouts", "candidates", "max_depth", "errors_threshold", "stop_solved"])
def test_config_refuses_what_no_search_can_have(field: str):
    with pytest.raises(ValueError, match=field):
        SearchConfig(**{field: 0})


def test_config_hash_depends_on_every_field():
    assert SearchConfig().hash() == SearchConfig().hash()
    assert SearchConfig().hash() != SearchConfig(c_puct=1.0).hash()
