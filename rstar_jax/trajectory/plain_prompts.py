r"""How a model without rStar training is asked: by its own chat template, or by plain text to be continued.

The policy's format (`prompts`) means nothing to such a model, and one that is asked in it solves next to nothing. What
all styles have in common is that the answer is to stand in `\boxed{}`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from etils import epath

from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath

Prompt = Callable[[str], str]
"""Question → the text that the model continues."""

# The system prompts that Qwen publishes for its Qwen2.5-Math-Instruct models.
REASON = r"Please reason step by step, and put your final answer within \boxed{}."
REASON_WITH_PROGRAMS = (
    r"Please integrate natural language reasoning with programs to solve the problem above, and put your final answer "
    r"within \boxed{}."
)
WRITE_PROGRAMS = (  # ours: in a plain text the problem stands below
    r"Please reason step by step, writing Python programs where they help, and put your final answer within \boxed{}."
)


@dataclasses.dataclass(frozen=True)
class Chat:
    """A conversation of one question, rendered by the template in the model's tokenizer folder.

    instruction: what to do with the question; "": nothing is said. instruction_in: as the system's message, or behind
    the question, for templates that have no system. stop: texts that end an answer beside the model's own end tokens
    (base models have chat templates too, and do not always know the turn's end as theirs).
    """

    instruction: str = REASON
    instruction_in: Literal["system", "user"] = "system"
    stop: tuple[str, ...] = ("<|im_end|>", "<|endoftext|>")

    def messages(self, question: str) -> list[dict[str, str]]:
        if self.instruction_in == "user" and self.instruction:
            question = f"{question}\n{self.instruction}"
        user = {"role": "user", "content": question}
        if self.instruction_in == "user" or not self.instruction:
            return [user]
        return [{"role": "system", "content": self.instruction}, user]


@dataclasses.dataclass(frozen=True)
class Completion:
    """Plain text for a base model: the instruction, solved examples as (question, solution), the question.

    stop: texts that end an answer; a base model rarely ends by itself, but goes on with a question of its own.
    """

    instruction: str = REASON
    examples: tuple[tuple[str, str], ...] = ()
    stop: tuple[str, ...] = ("\nQuestion:",)

    def __call__(self, question: str) -> str:
        solved = [f"Question: {asked}\nAnswer: {solution}" for asked, solution in self.examples]
        return "\n\n".join([*filter(None, [self.instruction]), *solved, f"Question: {question}\nAnswer:"])


Style = Chat | Completion

EXAMPLES = (
    (
        "A shop sells pens in boxes of 12. Mia buys 3 boxes and gives away 7 pens. How many pens has she left?",
        r"Three boxes hold $3 \cdot 12 = 36$ pens. After giving away 7 of them she has $36 - 7 = 29$. "
        r"The final answer is $\boxed{29}$.",
    ),
    (
        "Find the sum of the solutions of $x^2 - 5x + 6 = 0$, divided by their product.",
        r"The left side is $(x - 2)(x - 3)$, so the solutions are $2$ and $3$. Their sum is $5$ and their product $6$. "
        r"The final answer is $\boxed{\frac{5}{6}}$.",
    ),
)

EXAMPLES_WITH_PROGRAMS = (
    (
        "How many positive divisors of 360 are even?",
        "I count them with a program.\n"
        "```python\nprint(sum(360 % d == 0 for d in range(2, 361, 2)))\n```\n"
        "```output\n18\n```\n"
        r"The final answer is $\boxed{18}$.",
    ),
    (
        "Find the sum of the solutions of $x^2 - 5x + 6 = 0$, divided by their product.",
        "I solve the equation first.\n"
        "```python\nfrom sympy import Rational, solve, symbols\n\n"
        'x = symbols("x")\nsolutions = solve(x**2 - 5*x + 6, x)\nprint(solutions)\n```\n'
        "```output\n[2, 3]\n```\n"
        "Now sum and product.\n"
        "```python\nprint(Rational(sum(solutions), solutions[0] * solutions[1]))\n```\n"
        "```output\n5/6\n```\n"
        r"The final answer is $\boxed{\frac{5}{6}}$.",
    ),
)


def make_prompt(style: Style, folder: AnyPath) -> Prompt:
    """The prompts of a style for the model whose tokenizer is in `folder`.

    Raises:
      InputError: a chat with a folder that has no template, or whose template refuses the conversation or leaves the
        question or the instruction out.
    """
    return style if isinstance(style, Completion) else _chat_prompt(style, folder)


def _chat_prompt(style: Chat, folder: AnyPath) -> Prompt:
    tokenizer = _chat_tokenizer(folder)

    def prompt(question: str) -> str:
        return tokenizer.apply_chat_template(style.messages(question), tokenize=False, add_generation_prompt=True)

    _check(prompt, style, folder)
    return prompt


def _chat_tokenizer(folder: AnyPath):
    """The folder's tokenizer as transformers reads it, which knows where templates may lie and what they may use."""
    import transformers

    folder = epath.Path(folder)
    if not (folder / "tokenizer_config.json").exists():
        raise InputError(f"{folder} holds no tokenizer (no tokenizer_config.json)")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: transformers cannot read the tokenizer ({reason})") from error
    if not tokenizer.chat_template:
        raise InputError(f"{folder} has no chat template; ask this model in completion style")
    return tokenizer


def _check(prompt: Prompt, style: Chat, folder: AnyPath) -> None:
    """Render one question now: a template may refuse a system's message, or drop it without a word."""
    import jinja2

    question = "What is 1 + 1?"
    try:
        text = prompt(question)
    except jinja2.TemplateError as error:
        raise InputError(f"{folder}: the chat template refuses the conversation ({error})") from error
    for part, name in ((question, "question"), (style.instruction, "instruction")):
        if part not in text:
            place = f"instruction_in={style.instruction_in!r}"
            raise InputError(f"{folder}: the chat template leaves out the {name} ({place})")
