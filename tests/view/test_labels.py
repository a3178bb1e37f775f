"""What is written beside a node."""

from __future__ import annotations

from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import ROOT, NewNode, expand, new_tree
from rstar_jax.view.labels import LONGEST, VISIBLE, labels


def of(*texts: str, answers: tuple[str, ...] = ()) -> list[str]:
    tree = new_tree(Problem("p", "What?", "1"), SearchConfig())
    expand(tree, ROOT, [NewNode(text, "step") for text in texts] + [NewNode("", "answer", one) for one in answers])
    found = labels(tree)
    assert found[ROOT] == "Question"
    return found[1:]


def test_the_first_line_without_tags():
    assert of("<code>\n\n# Read the numbers\nn = [1]\n<end_of_step>") == ["# Read the numbers"]


def test_lines_that_siblings_share_do_not_tell_them_apart():
    assert of("<code>\n# Read\nn = [1]\n<end_of_step>", "<code>\n# Read\n  n  = 2<end_of_step>") == ["n = [1]", "n = 2"]
    assert of("# Read\nn = 1", "# Read\nn = 1\nprint(n)") == ["# Read", "print(n)"]


def test_output_is_no_part_of_a_label():
    shared = "\n<end_of_code>\n<output>5<end_of_output>"
    assert of(f"print(5){shared}", f"print(2 + 3){shared}") == ["print(5)", "print(2 + 3)"]


def test_answers_are_their_labels():
    assert of(answers=("1/2", " a\n b ")) == ["= 1/2", "= a b"]


def test_empty_steps_have_a_label():
    assert of("<code>\n<end_of_step>") == ["(empty)"]


def test_of_long_lines_the_difference_is_to_be_seen():
    first, second = of(*(f"numbers = [66633, 89181, 50239, 91129, {last}]" for last in (95785, 95782)))
    assert first == "…50239, 91129, 95785]"
    assert second == "…50239, 91129, 95782]"
    assert len(first) <= VISIBLE
    assert of("a" * 90, "a" * 89 + "b")[0] == "…a"


def test_long_lines_that_differ_early_keep_their_beginning():
    long = "n = 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8"
    assert of(long, "m" + long[1:]) == [long, "m" + long[1:]]
    assert len(of("x = '" + "long " * 90)[0]) == LONGEST
