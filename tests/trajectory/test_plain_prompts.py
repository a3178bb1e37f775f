"""Prompts for models without rStar training: chat templates as transformers renders them, and plain text."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib

import pytest

from rstar_jax.errors import InputError
from rstar_jax.files import read_json, write_json
from rstar_jax.grading import extract_answer
from rstar_jax.trajectory import plain_prompts
from rstar_jax.trajectory.code_blocks import OUTPUT_FENCE, code_of, show_output
from rstar_jax.trajectory.plain_prompts import Chat, Completion, make_prompt
from rstar_jax.trajectory.tokenizer import train_tokenizer

QUESTION = "What is $6 \\cdot 7$?"
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
WITHOUT_SYSTEM = "{% for m in messages if m['role'] == 'user' %}{{ '<|user|>\\n' + m['content'] + '\\n' }}{% endfor %}"
REFUSES_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHATML
QWEN = pathlib.Path(__file__).parents[2].parent / "shared" / "data" / "tokenizer_qwen2"


@pytest.fixture(scope="module")
def trained():
    return train_tokenizer([QUESTION, plain_prompts.REASON], 300)


@pytest.fixture
def folder(trained, tmp_path):
    """A tokenizer without a chat template."""
    trained.save(tmp_path)
    return tmp_path


def with_template(folder: pathlib.Path, template: str) -> pathlib.Path:
    path = folder / "tokenizer_config.json"
    write_json(path, read_json(path) | {"chat_template": template})
    return folder


def test_a_chat_has_the_instruction_as_its_system_message(folder):
    text = make_prompt(Chat(), with_template(folder, CHATML))(QUESTION)
    assert text == (
        "<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n"
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_chat_is_what_transformers_renders(folder):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(with_template(folder, CHATML))
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    wanted = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert make_prompt(Chat("Be brief."), folder)(QUESTION) == wanted


def test_a_template_may_be_a_file_of_its_own(folder):
    (folder / "chat_template.jinja").write_text(CHATML)
    assert make_prompt(Chat(), folder)(QUESTION).endswith("<|im_start|>assistant\n")


def test_the_instruction_may_stand_behind_the_question(folder):
    text = make_prompt(Chat(instruction_in="user"), with_template(folder, WITHOUT_SYSTEM))(QUESTION)
    assert text == f"<|user|>\n{QUESTION}\n{plain_prompts.REASON}\n"


def test_nothing_is_said_without_an_instruction(folder):
    text = make_prompt(Chat(instruction=""), with_template(folder, REFUSES_SYSTEM))(QUESTION)
    assert text == f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (None, "no chat template"),
        (WITHOUT_SYSTEM, r"leaves out the instruction \(instruction_in='system'\)"),
        (REFUSES_SYSTEM, "refuses the conversation .*no system here"),
        ("{% for", "refuses the conversation"),
        ("Hello", "leaves out the question"),
    ],
)
def test_a_template_that_cannot_be_used_is_one_sentence(folder, template, reason):
    if template is not None:
        with_template(folder, template)
    with pytest.raises(InputError, match=reason):
        make_prompt(Chat(), folder)


def test_a_folder_without_a_tokenizer_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="holds no tokenizer"):
        make_prompt(Chat(), tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "NoSuchTokenizer"}))
    with pytest.raises(InputError, match="transformers cannot read the tokenizer"):
        make_prompt(Chat(), tmp_path)


@pytest.mark.skipif(not QWEN.exists(), reason="the Qwen2 tokenizer is not on this machine")
def test_qwens_own_template_has_the_published_system_prompt_in_place_of_its_own():
    text = make_prompt(Chat(), QWEN)(QUESTION)
    assert text == (
        f"<|im_start|>system\n{plain_prompts.REASON}<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_completion_goes_on_behind_the_question(tmp_path):
    prompt = make_prompt(Completion(examples=(("1 + 1?", "It is $\\boxed{2}$."),)), tmp_path)
    assert prompt(QUESTION) == (
        "Please reason step by step, and put your final answer within \\boxed{}.\n\n"
        f"Question: 1 + 1?\nAnswer: It is $\\boxed{{2}}$.\n\nQuestion: {QUESTION}\nAnswer:"
    )
    assert make_prompt(Completion(instruction=""), tmp_path)(QUESTION) == f"Question: {QUESTION}\nAnswer:"


@pytest.mark.parametrize("solution", [solution for _, solution in plain_prompts.EXAMPLES_WITH_PROGRAMS])
def test_the_programs_of_our_examples_print_what_stands_there(solution):
    names: dict = {}
    written, place = "", 0
    while (place := solution.find(OUTPUT_FENCE, place)) >= 0:
        place += len(OUTPUT_FENCE)
        stretch = solution[len(written) : place]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code_of(stretch), names)
        written += show_output(stretch, printed.getvalue().rstrip("\n"))
        assert solution.startswith(written)
    assert written


def test_our_examples_answer_in_a_box():
    for _, solution in (*plain_prompts.EXAMPLES, *plain_prompts.EXAMPLES_WITH_PROGRAMS):
        assert extract_answer(solution)
