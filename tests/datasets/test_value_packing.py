"""Targets at the ends of steps: there, a packed row has read what search reads when it asks for the step."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from rstar_jax.datasets.released import value_rows
from rstar_jax.datasets.tokenise import TokeniseConfig, tokenise_files
from rstar_jax.datasets.value_packing import pack_values, tokenise_values
from rstar_jax.errors import InputError
from rstar_jax.inference.adapters import PathEncoder
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path
from rstar_jax.trajectory.prompts import PLAIN_FRAME, policy_prompt
from rstar_jax.trajectory.tags import REWARD_TOKENS
from rstar_jax.trajectory.tokenizer import Tokenizer, load_tokenizer, train_tokenizer

QWEN = pathlib.Path(__file__).parents[2].parent / "shared" / "data" / "tokenizer_qwen2"
STEPS = [
    "<code>\n# Step 1: the sum √ 😀\nx = 1 + 2\n<end_of_step>",
    "\n# Step 2\nprint('<end_of_step>')\n<end_of_code>\n<output><end_of_step><end_of_output>",
    "\n<answer>It is \\boxed{3}.<end_of_answer>",
]
ROW = {"query": "What is 1 + 2?", "steps": STEPS, "q": [0.25, -0.5, 1.0]}


def rows(n: int) -> list[dict]:
    random = np.random.default_rng(0)

    def row(number: int) -> dict:
        places = range(1 + number % 4)
        steps = [f"<code>\nx{step} = {'1' * random.integers(1, 9)}\n<end_of_step>" for step in places]
        return {"query": f"Problem {number // 3}?", "steps": steps, "q": [random.uniform(-1, 1) for _ in places]}

    return [row(number) for number in range(n)]


@pytest.fixture(scope="module", params=["own", "qwen"])
def tokenizer(request) -> Tokenizer:
    if request.param == "own":
        return train_tokenizer(["".join(STEPS)], 300)
    if not QWEN.exists():
        pytest.skip("the Qwen tokenizer lies outside the repository")
    return load_tokenizer(QWEN, REWARD_TOKENS)


def test_a_step_ends_where_search_would_ask(tokenizer: Tokenizer) -> None:
    (solution,) = tokenise_values([ROW], tokenizer)
    encode = PathEncoder(tokenizer, PLAIN_FRAME)
    problem = Problem("p", ROW["query"], "3")
    asked = [encode(Path(problem, tuple(STEPS[:n]))) for n in (1, 2, 3)]
    assert [solution.tokens[: place + 1] for place, _ in solution.targets] == asked
    assert [q for _, q in solution.targets] == ROW["q"]
    assert solution.tokens == asked[-1]


def test_a_step_that_ends_within_a_token_has_no_target() -> None:
    tokenizer = train_tokenizer(["the answer"] * 50, 320)
    whole = "the answer"
    (solution,) = tokenise_values([{"query": "Q", "steps": [whole[:3], whole[3:]], "q": [1, -1]}], tokenizer)
    assert len(tokenizer.encode(whole)) == 2
    assert [q for _, q in solution.targets] == [1, -1]
    (solution,) = tokenise_values([{"query": "Q", "steps": [whole[:2], whole[2:]], "q": [1, -1]}], tokenizer)
    assert solution.targets == [(len(solution.tokens) - 1, -1)]
    assert solution.segment().by_token["step_weights"].sum() == 1


def test_rows_hold_every_solution_with_its_values() -> None:
    data, tokenizer = rows(40), train_tokenizer([], 300)
    packed = pack_values(tokenise_values(data, tokenizer), 400, seed=1)
    assert (packed.examples, packed.dropped) == (40, 0)
    arrays, found = packed.arrays, []
    for row in range(packed.n_rows):
        for segment in range(1, arrays["segments"][row].max() + 1):
            tokens, q, weights = (
                arrays[name][row][arrays["segments"][row] == segment] for name in ("tokens", "q", "step_weights")
            )
            found.append((tokenizer.decode(tokens), q[weights > 0].tolist()))
            np.testing.assert_allclose(weights[weights > 0], 1 / np.count_nonzero(weights))
    wanted = [
        (policy_prompt(row["query"], "".join(row["steps"])), np.float32(row["q"]).tolist()) for row in data
    ]
    assert sorted(found) == sorted(wanted)
    assert not arrays["step_weights"][arrays["segments"] == 0].any()


def test_values_on_disk_are_those_in_memory(tmp_path) -> None:
    data, tokenizer = rows(60), train_tokenizer([], 300)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row | {"problem": "p"}) + "\n" for row in data))
    stored = tokenise_files([tmp_path / "rows.jsonl"], tmp_path / "tokens", tokenizer, TokeniseConfig("pqm", 400)).train
    packed = pack_values(tokenise_values(data, tokenizer), 400)
    assert (stored.n_rows, stored.examples) == (packed.n_rows, 60)
    for name, array in packed.rows(np.arange(packed.n_rows)).items():
        np.testing.assert_array_equal(stored.rows(np.arange(packed.n_rows))[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": ["a"]}, '"steps" and "q" are not lists of one length'),
        ({"steps": [], "q": []}, '"steps" and "q" are not lists of one length'),
        ({"steps": "abc"}, '"steps" and "q" are not lists of one length'),
        ({"steps": ["a", "", "c"]}, '"steps" is empty'),
        ({"q": [0, 2, 0]}, '"q" holds what is no number from -1 to 1'),
        ({"q": [0, float("nan"), 0]}, '"q" holds what is no number from -1 to 1'),
        ({"q": [0, "1", 0]}, '"q" holds what is no number from -1 to 1'),
        ({"q": None}, 'no "q"'),
        ({"query": 3}, '"query" is not text'),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, change: dict, message: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | change) + "\n")
    with pytest.raises(InputError, match="line 2") as error:
        list(value_rows([tmp_path / "rows.jsonl"]))
    assert message in str(error.value)
