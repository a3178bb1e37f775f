"""The released tokens on a base model's tokenizer: their order, their ids, and the texts of training and search.

With the tokenizer of Qwen2 where it is at hand; its golden ids were computed by two other implementations.
"""

from __future__ import annotations

import json
import pathlib

import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from rstar_jax.inference.adapters import PathEncoder
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path
from rstar_jax.trajectory.prompts import PLAIN_FRAME, RELEASED_SEARCH_FRAME, policy_prompt
from rstar_jax.trajectory.tags import ALL_TAGS, ASSISTANT, POLICY_TOKENS, REWARD_TOKENS, STEP_ENDS
from rstar_jax.trajectory.tokenizer import END_OF_TEXT, Tokenizer, load_tokenizer, train_tokenizer

DATA = pathlib.Path(__file__).parents[2].parent / "shared" / "data"
QWEN = DATA / "tokenizer_qwen2"
needs_qwen = pytest.mark.skipif(not QWEN.exists(), reason="the tokenizer of Qwen2 is not here")
STEPS = ("<code>\n# Step 1: Add\nx = 17 + 25\n<end_of_step>", "\n\n# Step 2: Print\nprint(x)\n<end_of_code>")


def golden() -> list[dict]:
    return [json.loads(line) for line in (QWEN / "golden_ids.jsonl").read_text().splitlines()]


def released_rows() -> list[str]:
    rows = json.loads((DATA / "official" / "sft_data_examples.json").read_text())
    pairs = json.loads((DATA / "official" / "rm_data_examples.json").read_text())
    return [policy_prompt(row["query"], row["response"]) for row in rows] + [
        row["prompt"] + row[side] for row in pairs for side in ("pos", "neg")
    ]


@pytest.fixture
def base(tmp_path) -> pathlib.Path:
    """A folder with a small tokenizer that knows nothing of the tags."""
    train_tokenizer(["<|user|>:\nWhat is 17 + 25?\n<|assistant|>: x" + "".join(STEPS)] * 3, 320).save(tmp_path)
    found = json.loads((tmp_path / "tokenizer.json").read_text())
    found["added_tokens"] = [token for token in found["added_tokens"] if token["content"] == END_OF_TEXT]
    vocab = found["model"]["vocab"]
    last = max(vocab.pop(tag) for tag in ALL_TAGS)
    found["model"]["vocab"] = {token: i - len(ALL_TAGS) * (i > last) for token, i in vocab.items()}
    (tmp_path / "tokenizer.json").write_text(json.dumps(found))
    return tmp_path


def test_there_are_15_for_the_policy_and_the_first_12_of_them_for_the_reward_model():
    assert (len(POLICY_TOKENS), len(REWARD_TOKENS)) == (15, 12)
    assert POLICY_TOKENS[:12] == REWARD_TOKENS
    assert REWARD_TOKENS[11] == "\n<|assistant|>"
    assert POLICY_TOKENS[12:] == ("<error_info>", "<end_of_error_info>", "<BACK>")


@pytest.mark.parametrize("tokens", [POLICY_TOKENS, REWARD_TOKENS], ids=["policy", "reward"])
def test_they_are_appended_in_their_order(base, tokens):
    plain, found = load_tokenizer(base), load_tokenizer(base, tokens)
    assert plain.stop_ids == ()
    assert len(plain.encode("<code>")) > 1
    assert [found.encode(token) for token in tokens] == [[plain.vocab_size + i] for i in range(len(tokens))]
    assert [found.decode([stop]) for stop in found.stop_ids] == list(STEP_ENDS)


def test_a_line_break_and_the_assistants_mark_are_one_token(base):
    found = load_tokenizer(base, POLICY_TOKENS)
    mark, both, line = (found.encode(text) for text in (ASSISTANT, "\n" + ASSISTANT, "\n"))
    assert len(both) == 1
    assert both != mark
    trained = found.encode(policy_prompt("What?"))
    assert both[0] in trained
    searched = found.encode(policy_prompt("What?", frame=RELEASED_SEARCH_FRAME))
    where = searched.index(both[0])  # upstream item 67: a second line break, which training has never seen
    assert searched == trained[: trained.index(both[0])] + line + trained[trained.index(both[0]) :]
    assert searched[where - 1] == line[0]


@pytest.mark.parametrize("frame", [PLAIN_FRAME, RELEASED_SEARCH_FRAME], ids=["plain", "released"])
def test_a_path_in_search_has_the_ids_of_its_text_in_training(base, frame):
    found, problem = load_tokenizer(base, POLICY_TOKENS), Problem(id="1", question="What is 17 + 25?", answer="42")
    encode = PathEncoder(found, frame)
    for count in range(3):
        path = Path(problem, STEPS[:count])
        assert encode(path) == found.encode(frame(problem.question, path.text))


def test_a_tokenizer_that_marks_the_beginning_of_a_text_is_given_whole_texts():
    letters = sorted(set("".join(STEPS) + policy_prompt("What is x?")))
    vocab = {token: number for number, token in enumerate(["<unk>", "▁", *letters])}
    for first_only in (True, False):
        backend = tokenizers.Tokenizer(models.BPE(vocab=dict(vocab), merges=[], unk_token="<unk>"))
        if first_only:
            backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        else:  # as the files of Llama 2 and Phi-3 do
            backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        found = Tokenizer(backend, "<unk>", POLICY_TOKENS)
        path = Path(Problem(id="1", question="What is x?", answer="1"), STEPS)
        encode = PathEncoder(found, PLAIN_FRAME)
        assert encode(path) == found.encode(PLAIN_FRAME("What is x?", path.text))
        assert encode._by_pieces is not first_only


def test_saving_keeps_the_settings_and_what_transformers_reads(base, tmp_path):
    transformers = pytest.importorskip("transformers")
    config = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": "{{ messages[0].content }}"}))
    found = load_tokenizer(base, POLICY_TOKENS)
    found.save(tmp_path / "saved")
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "saved"))
    assert theirs.chat_template == "{{ messages[0].content }}"
    text = policy_prompt("What is 17 + 25?", "".join(STEPS))
    assert theirs(text)["input_ids"] == found.encode(text) == load_tokenizer(tmp_path / "saved").encode(text)


def test_padding_may_be_the_end_of_text_but_not_nothing(base):
    from rstar_jax.errors import InputError

    config = json.loads((base / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    assert load_tokenizer(base).pad == END_OF_TEXT
    del config["eos_token"]
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="neither a pad_token nor an eos_token"):
        load_tokenizer(base)


@needs_qwen
def test_qwen_has_its_golden_ids():
    found = load_tokenizer(QWEN)
    assert len(golden()) > 100
    for row in golden():
        assert found.encode(row["text"]) == row["ids"]


@needs_qwen
@pytest.mark.parametrize("tokens", [POLICY_TOKENS, REWARD_TOKENS], ids=["policy", "reward"])
def test_qwen_with_the_released_tokens_is_what_transformers_makes_of_it(tokens, tmp_path):
    transformers = pytest.importorskip("transformers")
    found = load_tokenizer(QWEN, tokens)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(QWEN / "tokenizer.json"))
    theirs.add_special_tokens({"additional_special_tokens": list(tokens)}, replace_extra_special_tokens=False)
    assert found.vocab_size == len(theirs) == 151665 + len(tokens)
    found.save(tmp_path)
    again = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert "<|im_start|>system" in again.chat_template
    for text in [*released_rows(), *(row["text"] for row in golden())]:
        ids = found.encode(text)
        assert theirs(text)["input_ids"] == again(text)["input_ids"] == ids
        assert found.decode(ids) == text


def test_a_vocabulary_with_gaps_has_room_for_its_last_id():
    backend = tokenizers.Tokenizer(models.BPE(vocab={"<unk>": 0, "a": 11, "b": 30}, merges=[], unk_token="<unk>"))
    found = Tokenizer(backend, "<unk>", POLICY_TOKENS)
    assert found.vocab_size > max(found.token_id(token) for token in POLICY_TOKENS)
