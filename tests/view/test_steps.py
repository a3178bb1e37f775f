"""Steps in parts."""

from __future__ import annotations

import asyncio
from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import NewNode, Tree, expand, new_tree
from rstar_jax.view.steps import code_tokens, step_parts


def chain(*steps: NewNode, **choices: object) -> Tree:
    tree = new_tree(Problem("p", "What?", "1"), SearchConfig(**choices))  # type: ignore[arg-type]
    for parent, step in enumerate(steps):
        expand(tree, parent, [step])
    return tree


def plain(parts: list) -> str:
    return "".join("".join(content[1::2]) if kind == "code" else content for kind, content in parts)


def kinds(parts: list) -> list[str]:
    return [kind for kind, _ in parts]


@settings(max_examples=60, deadline=None)
@given(st.text() | st.text(alphabet="ab1 \n\t\r'\"#()=\\"))
def test_tokens_join_to_the_code(code: str):
    tokens = code_tokens(code)
    assert "".join(tokens[1::2]) == code
    assert all(one != other for one, other in zip(tokens[::2], tokens[2::2], strict=False))


def test_tokens_have_classes():
    tokens = code_tokens("def half(n):  # of it\n    return n / 2 if n else 'no'")
    classes = dict(zip(tokens[1::2], tokens[::2], strict=True))
    assert classes["half"] == "f"
    assert classes["# of it\n    "] == "c"
    assert classes["return "] == "k"
    assert classes["2 "] == "n"
    assert classes["'no'"] == "s"


def test_a_block_goes_on_over_steps():
    tree = chain(
        NewNode("First think.\n<code>\nx = 1\n<end_of_step>", "step"),
        NewNode("\nprint(x)\n<end_of_code>\n<output>1<end_of_output>", "code", outcome="ok", output="1"),
        NewNode("\n<answer>\\boxed{1}<end_of_answer>", "answer", "1"),
    )
    _, first, second, third = step_parts(tree)
    assert kinds(first) == ["prose", "tag", "code", "tag"]
    assert kinds(second) == ["code", "tag"]
    assert plain(second) == "\nprint(x)\n<end_of_code>"
    assert kinds(third) == ["prose", "tag", "prose", "tag"]


def test_text_after_a_block_that_is_no_appended_output_is_kept():
    tree = chain(NewNode("<code>\nprint(1)\n<end_of_code>\nSo it is <output>.", "code", outcome="ok", output="1"))
    assert plain(step_parts(tree)[1]) == tree.text[1]


def test_programs_may_print_tags():
    output = "<code>\n<end_of_code>"
    text = f"<code>\nprint(t)\n<end_of_code>\n<output>{output}<end_of_output>"
    tree = chain(NewNode(text, "code", outcome="ok", output=output), NewNode("I see.<end_of_step>", "thought"))
    _, first, second = step_parts(tree)
    assert plain(first) == "<code>\nprint(t)\n<end_of_code>"
    assert kinds(second) == ["prose", "tag"]


def test_the_released_reading_takes_text_without_tags_for_code():
    step = NewNode("x = 1\n<end_of_step>", "step")
    assert kinds(step_parts(chain(step, reading="released"))[1]) == ["code", "tag"]
    assert kinds(step_parts(chain(step))[1]) == ["prose", "tag"]


def test_parts_join_to_the_steps_of_a_search(fakes: ModuleType, large: Tree):
    searched = [asyncio.run(fakes.grow(fakes.SETTINGS[name])) for name in ("released-bootstrap", "default-sample")]
    for tree in [*searched, large]:
        for node, parts in enumerate(step_parts(tree)):
            appended = f"\n<output>{tree.output[node]}<end_of_output>"
            assert plain(parts) == tree.text[node].removesuffix(appended)
