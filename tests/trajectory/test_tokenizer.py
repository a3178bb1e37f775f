"""The tokenizer: tags and digits as single tokens, steps that can be joined, folders that others read."""

from __future__ import annotations

import itertools

import pytest

from rstar_jax.errors import InputError
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tags import ALL_TAGS, STEP_ENDS
from rstar_jax.trajectory.tokenizer import Tokenizer, load_tokenizer, train_tokenizer

STEPS = (
    "<code>\n# Step 1: Add 17 and 25\nx = 17 + 25\n<end_of_step>",
    "\n\n# Step 2: Double it\n    y = 2 * x\n<end_of_step>",
    "\n# Now print the final answer\nprint(y)\n<end_of_code>\n<output>84<end_of_output>",
    "\n<answer>The result is \\boxed{84}, ½ of 168.\n<end_of_answer>",
)
TEXTS = [policy_prompt("What is twice the sum of 17 and 25?") + "".join(STEPS)] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, 330)


def test_every_tag_and_every_digit_is_one_token(tokenizer: Tokenizer) -> None:
    assert all(len(tokenizer.encode(tag)) == 1 for tag in ALL_TAGS)
    assert len(tokenizer.encode("0123456789")) == 10
    assert len(tokenizer.encode("x = 17")) == len(tokenizer.encode("x = ")) + 2


def test_stop_ids_are_the_step_ends(tokenizer: Tokenizer) -> None:
    assert [tokenizer.decode([stop]) for stop in tokenizer.stop_ids] == list(STEP_ENDS)
    assert tokenizer.pad_id not in tokenizer.stop_ids


@pytest.mark.parametrize("text", [*TEXTS[:1], "", " ", "naïve café ∑ 漢字 \t\r\n", "<code> <code", "a\x00b"])
def test_decode_undoes_encode(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(0 <= token < tokenizer.vocab_size for token in ids)


def test_ids_of_joined_steps_are_joined_ids_of_steps(tokenizer: Tokenizer) -> None:
    pieces = [policy_prompt("What is twice the sum of 17 and 25?"), *STEPS]
    joined = list(itertools.chain.from_iterable(tokenizer.encode(piece) for piece in pieces))
    assert tokenizer.encode("".join(pieces)) == joined
    assert tokenizer.encode_batch(pieces) == [tokenizer.encode(piece) for piece in pieces]


def test_merges_are_learned_but_not_of_tags(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size == 330
    assert len(tokenizer.encode(TEXTS[0])) < 0.7 * len(TEXTS[0])
    tag_pieces = {"_of", "end_of", "<end", "_step", "</"}
    assert not tag_pieces & set(tokenizer.backend.get_vocab())


def test_training_is_deterministic(tokenizer: Tokenizer) -> None:
    assert train_tokenizer(iter(TEXTS), 330).backend.to_str() == tokenizer.backend.to_str()


def test_a_saved_folder_is_read_by_us_and_by_transformers(tokenizer: Tokenizer, tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer.save(tmp_path)
    ours, theirs = load_tokenizer(tmp_path), transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert ours.encode(TEXTS[0]) == theirs(TEXTS[0])["input_ids"] == tokenizer.encode(TEXTS[0])
    assert theirs.decode(ours.encode(TEXTS[0])) == TEXTS[0]
    assert theirs.pad_token_id == ours.pad_id
    assert len(theirs) == ours.vocab_size


def test_a_foreign_tokenizer_gets_the_tags(tmp_path) -> None:
    from tokenizers import Tokenizer as Backend
    from tokenizers import models, pre_tokenizers

    backend = Backend(models.BPE(vocab={"a": 0, "b": 1, "ab": 2}, merges=[("a", "b")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found = Tokenizer(backend, pad="<pad>")
    assert found.vocab_size == 3 + 1 + len(ALL_TAGS)
    assert found.encode("ab<code>b") == [2, found.token_id("<code>"), 1]


def test_a_missing_folder_and_a_missing_token_say_so(tokenizer: Tokenizer, tmp_path) -> None:
    with pytest.raises(InputError, match="no tokenizer"):
        load_tokenizer(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load_tokenizer(tmp_path / "nowhere")
    with pytest.raises(KeyError):
        tokenizer.token_id("<refine>")
