"""Which closing tag ends a generation, for each kind of server."""

from __future__ import annotations

import pytest

from rstar_jax.evolution.bootstrap.stops import STOPS, close

CODE = "<code>\n# Step 1\nx = 1\n<end_of_step>"
CLOSED = CODE + "\n\n# Now print the final answer\nprint(x)\n<end_of_code>"
SHOWN = CLOSED + "\n<output>1<end_of_output>"


@pytest.mark.parametrize("tag", STOPS)
def test_the_server_names_the_tag(tag: str) -> None:
    assert close(CODE, "\ntext\n", "stop", tag) == (f"\ntext\n{tag}", "stop")
    assert close(CODE, "", "stop", tag) == (tag, "stop")


@pytest.mark.parametrize("finish_reason", ["stop", "length", None])
def test_a_server_that_keeps_or_ignores_tags(finish_reason: str | None) -> None:
    text = "\ny = 2\n<end_of_step>\n\nz = 3\n<end_of_code>\n<output>"
    assert close(CODE, text, finish_reason, None) == ("\ny = 2\n<end_of_step>", "stop")


@pytest.mark.parametrize(
    ("history", "text", "tag"),
    [
        ("", "<code>\n# Step 1\nx = 1\n", "<end_of_step>"),
        (CODE, "\n\n# Step 2\ny = 2\n", "<end_of_step>"),
        (CODE, "\n\n# Now print the final answer\nprint(x)\n", "<end_of_code>"),
        (CODE, "\n\n# now print the final answer:\nfor x in xs:\n    print(x)\n", "<end_of_code>"),
        (CODE, "\n\nprint(x)", "<end_of_code>"),
        (CODE, "\n\nfor x in xs:\n    print(x)\n", "<end_of_step>"),
        (CODE, "\n\nprinted = 3\n", "<end_of_step>"),
        ("", "<code>\nx = 1\nprint(x)\n", "<end_of_code>"),
        (CLOSED, "\n<output>1", "<end_of_output>"),
        (SHOWN, "\n<answer>It is \\boxed{1}", "<end_of_answer>"),
        (SHOWN, "\n<code>\nprint(2)\n", "<end_of_code>"),
        (SHOWN, "\nLet us see.", "<end_of_step>"),
        ("", "Let us see.", "<end_of_step>"),
    ],
)
@pytest.mark.parametrize("named", [None, 151643])
def test_a_server_that_does_not_tell(history: str, text: str, tag: str, named: object) -> None:
    assert close(history, text, "stop", named) == (text + tag, "stop")


def test_cut_and_empty_generations_stay_open() -> None:
    assert close(CODE, "\n\n# Step 2", "length", None) == ("\n\n# Step 2", "length")
    assert close(CODE, "\nbad", "content_filter", None) == ("\nbad", "length")
    assert close(CODE, " \n", "stop", None) == (" \n", "length")
