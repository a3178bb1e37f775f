"""The page in a browser: what it shows, and what keys and clicks do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from rstar_jax.datasets.pairs import pair_rows
from rstar_jax.datasets.sft import sft_rows
from rstar_jax.search.tree import Tree
from rstar_jax.view.marks import Marks

Look = Callable[..., Any]
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">&amp;<!--"


def marks_of(tree: Tree) -> Marks:
    return Marks("Chosen by the test.", sft_rows([tree]), pair_rows([tree]))


def test_it_opens_with_the_question(look: Look, small: Tree):
    looked = look(small)
    assert looked.page.title() == "p/1 · search tree"
    assert looked.text("h1") == "p/1"
    assert looked.text("#facts") == "6 nodes · 4 rollouts · 1 of 2 answers right"
    assert looked.selected == 0
    assert looked.visible == [0, 1, 2, 3, 4, 5]
    panel = looked.text("#panel")
    assert "What is 1 + 1?" in panel
    assert "Expected answer\n2" in panel
    assert "gsm8k" in panel


def test_a_click_shows_what_a_node_holds(look: Look, small: Tree):
    looked = look(small)
    looked.page.click("#node-1 .shape")
    assert looked.selected == 1
    assert looked.text("#panel h2") == "1. Code step, its block ends"
    assert looked.text("pre.step") == "<code>\n# Add\nx = 1 + 1\nprint(x)\n<end_of_code>"
    assert looked.text("pre.output") == "2"
    assert looked.text(".tiles").split() == ["Q", "0.000", "Visits", "2", "PPM", "score", "—", "Rollout", "1"]
    assert looked.text(".t-c").strip() == "# Add"
    assert looked.page.locator(".t-n").all_inner_texts() == ["1 ", "1\n"]
    looked.page.click("#node-4 .label")
    assert looked.text(".verdict") == "3 wrong, expected 2"


def test_what_models_write_is_shown_as_text(look: Look, small: Tree):
    small.problem = dataclasses.replace(small.problem, id=HOSTILE, question=HOSTILE)
    looked = look(small)
    assert looked.text("h1") == HOSTILE
    assert looked.text(".question") == HOSTILE
    looked.page.click("#node-5 .shape")
    assert f"raise ValueError({HOSTILE!r})" in looked.text("pre.step")
    assert looked.text("pre.output.failed") == f"ValueError: {HOSTILE}"
    assert looked.page.title() == f"{HOSTILE} · search tree"
    assert looked.page.locator("img").count() == 0
    assert looked.page.locator("script").count() == 2


def test_kinds_of_nodes_differ_in_shape(look: Look, small: Tree):
    looked = look(small)
    shape = {node: looked.page.locator(f"#node-{node} .shape").get_attribute("d") for node in range(6)}
    assert len({shape[node] for node in (0, 1, 3, 4, 5)}) == 5
    assert shape[2] == shape[5]  # a dead end failed as well
    looked.play(1)
    assert looked.page.locator("#node-2 .shape").get_attribute("d") == shape[1]  # and was a step until then


def test_proposals_that_became_no_node_are_accounted_for(look: Look, small: Tree):
    looked = look(small)
    panel = looked.text("#panel")
    assert "7 proposals drawn here" in panel
    assert "They became 3 nodes, 2 merged, 2 refused." in panel
    assert looked.page.locator(".proposals > li").all_inner_texts() == [
        "2 times merged into 1, which has the same text",
        "refused: empty",
        "refused: cut by the length limit",
    ]
    looked.page.click("#node-2 .shape")
    assert "dead end" in looked.text("#panel header")
    failed, equal = looked.page.locator(".proposals > li").all()
    failed.locator("summary").click()
    assert failed.inner_text() == (
        "refused: its code failed\n<code>\n1/0\n<end_of_code>\nZeroDivisionError: division by zero"
    )
    assert equal.inner_text() == "refused: equal to one that was refused because its code failed"


def test_the_best_path_stands_out(look: Look, small: Tree):
    looked = look(small)
    width = "edges => edges.map(one => [one.getAttribute('class').includes('best'), getComputedStyle(one).strokeWidth])"
    drawn = looked.page.locator("#edges path[d]").evaluate_all(width)
    assert sorted(drawn) == [[False, "1.3px"]] * 3 + [[True, "3.2px"]] * 2
    looked.page.click("#legend .mark.best")
    assert {one for _, one in looked.page.locator("#edges path[d]").evaluate_all(width)} == {"1.3px"}


def test_training_data_are_marked_and_named(look: Look, small: Tree):
    looked = look(small, marks_of(small))
    badges = {node: looked.page.locator(f"#node-{node} .badge:not(.fold)").all_text_contents() for node in range(6)}
    assert badges == {0: [], 1: ["×3"], 2: [], 3: ["S1", "+"], 4: ["−"], 5: []}
    assert [node for node in range(6) if looked.page.locator(f"#node-{node}.sft").count()] == [1, 3]
    assert "Chosen by the test." in looked.text("#panel .data")
    assert looked.page.locator("#panel .data li").all_inner_texts() == [
        "SFT trajectory 1, mean Q 0.50, ends at 3",
        "Solution 3 preferred to 4 (Q 0.50, −0.50)",
    ]
    looked.page.click("#node-4 .shape")
    assert looked.text("#panel .data li") == "Rejected for 3 (Q −0.50 under 0.50, pair of solutions)"
    looked.page.click("#panel .data .link")
    assert looked.selected == 3
    for mark in ("sft", "pairs"):
        looked.page.click(f"#legend .mark.{mark}")
    assert looked.page.locator(".badge:not(.fold):visible").all_text_contents() == ["×3"]


def test_arrows_move_along_the_tree(look: Look, small: Tree):
    looked = look(small)
    walked = []
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowRight", "ArrowDown"):
        looked.press(key)
        walked.append(looked.selected)
    assert walked == [1, 2, 5, 5, 2, 1, 3, 4]
    assert looked.page.locator("#tree").get_attribute("aria-activedescendant") == "node-4"
    for key, node in (("ArrowLeft", 1), ("Home", 0), ("ArrowLeft", 0), ("a", 3)):
        looked.press(key)
        assert looked.selected == node


def test_branches_fold_and_unfold(look: Look, small: Tree):
    looked = look(small)
    looked.press("ArrowRight", "Enter")
    assert looked.visible == [0, 1, 2, 5]
    assert looked.page.locator("#node-1").get_attribute("aria-expanded") == "false"
    assert looked.page.locator("#node-1 .fold").text_content() == "+2"
    looked.press("ArrowRight")
    assert (looked.selected, looked.visible) == (3, [0, 1, 2, 3, 4, 5])
    looked.page.dblclick("#node-1 .shape")
    assert looked.visible == [0, 1, 2, 5]
    looked.press("e")
    looked.page.locator("#node-1 .fold").click()
    assert looked.visible == [0, 1, 2, 5]
    looked.press("e", "Home", " ")
    assert looked.visible == [0]
    looked.press("a")  # unfolds what hides its goal
    assert looked.selected == 3


def test_a_folded_node_stays_under_the_pointer(look: Look, small: Tree):
    looked = look(small)
    before = looked.page.locator("#node-1 .shape").bounding_box()
    looked.page.dblclick("#node-1 .shape")
    looked.settle()
    assert looked.page.locator("#node-1 .shape").bounding_box() == pytest.approx(before, abs=0.2)


def test_the_slider_shows_the_tree_as_it_was(look: Look, small: Tree):
    looked = look(small)
    for rollouts, visible, tiles in [
        (0, [0], ["—", "0"]),
        (1, [0, 1, 2, 3], ["1.000", "1"]),
        (2, [0, 1, 2, 3], ["0.000", "2"]),
        (3, [0, 1, 2, 3, 4], ["−0.333", "3"]),
        (4, [0, 1, 2, 3, 4, 5], ["−0.500", "4"]),
    ]:
        looked.play(rollouts)
        assert looked.visible == visible
        assert looked.page.locator(".tiles dd").all_inner_texts() == tiles
    assert looked.text("#when") == "4 of 4 rollouts · 6 nodes · 1 right"
    looked.page.locator("#tree").focus()
    looked.press(",", ",")
    assert looked.visible == [0, 1, 2, 3]
    looked.press(".")
    assert looked.page.locator(".node.fresh").count() == 1
    assert looked.visible == [0, 1, 2, 3, 4]


def test_a_selected_node_that_is_not_there_yet_gives_way_to_its_parent(look: Look, small: Tree):
    looked = look(small)
    looked.page.click("#node-4 .shape")
    looked.play(1)
    assert looked.selected == 1


def test_rollouts_play_in_order(look: Look, small: Tree):
    looked = look(small)
    looked.page.clock.install(time=0)
    looked.page.clock.pause_at(1000)
    looked.press("p")
    assert looked.visible == [0]
    seen = []
    for _ in range(4):
        looked.page.clock.run_for(900)
        seen.append(looked.visible[-1])
    assert seen == [3, 3, 4, 5]
    assert looked.page.locator("#play").get_attribute("aria-label") == "Play the rollouts"


def test_search_finds_steps_outputs_answers_and_refused_proposals(look: Look, small: Tree):
    looked = look(small)
    looked.press("/")
    expected = {"X = 1 + 1": [1], "boxed{": [3, 4], "ZeroDivision": [2], "#5": [5], "nothing like it": []}
    for query, nodes in expected.items():
        looked.page.fill("#query", query)
        assert looked.text("#found") == (str(len(nodes)) if nodes else "none")
        assert [node for node in range(6) if looked.page.locator(f"#node-{node}.found").count()] == nodes
    looked.page.fill("#query", "boxed{")
    stepped = []
    for key in ("Enter", "Enter", "Enter", "Shift+Enter"):
        looked.press(key)
        stepped.append((looked.selected, looked.text("#found")))
    assert stepped == [(3, "1 of 2"), (4, "2 of 2"), (3, "1 of 2"), (4, "2 of 2")]
    looked.press("Escape")
    assert looked.page.locator(".node.found").count() == looked.page.locator(".node.faded").count() == 0


def test_search_looks_into_folded_branches(look: Look, small: Tree):
    looked = look(small)
    looked.press("ArrowRight", "Enter", "/")
    looked.page.fill("#query", "boxed{3}")
    assert looked.page.locator("#node-1.faded").count() == 0
    looked.press("Enter")
    assert (looked.selected, looked.visible) == (4, [0, 1, 2, 3, 4, 5])


def test_keys_are_letters_in_the_search_field(look: Look, small: Tree):
    looked = look(small)
    looked.press("/", "b", "e", "?", "t")
    assert looked.page.locator("#query").input_value() == "be?t"
    assert not looked.page.locator("#keys").is_visible()


def test_help_opens_and_closes(look: Look, small: Tree):
    looked = look(small)
    looked.press("?")
    assert looked.page.locator("#keys").is_visible()
    assert "fold or unfold the branch" in looked.text("#keys")
    looked.press("ArrowRight")
    assert looked.selected == 0
    looked.press("Escape")
    assert not looked.page.locator("#keys").is_visible()


def test_a_tree_whose_course_is_unknown_says_so(look: Look, small: Tree):
    small.visits[2] += 3
    looked = look(small)
    assert "cannot be told" in looked.text("#notice")
    looked.play(1)
    assert looked.visible == [0, 1, 2, 3]
    assert looked.page.locator(".tiles dd").all_inner_texts() == ["−0.500", "4"]


def test_screen_readers_get_a_tree(look: Look, small: Tree):
    looked = look(small)
    items = looked.page.get_by_role("tree").get_by_role("treeitem")
    assert items.count() == 6
    third = looked.page.locator("#node-4")
    names = ("aria-level", "aria-posinset", "aria-setsize", "aria-selected", "aria-expanded", "aria-label")
    assert [third.get_attribute(name) for name in names] == [
        "3", "2", "2", "false", None, "4: = 3, wrong answer, visits 1, Q -1.00"
    ]  # fmt: skip
    for button in looked.page.get_by_role("button").all():
        assert button.get_attribute("aria-label") or button.inner_text().strip()
