r"""Which rows are no problems that a search can learn from, and why.

A problem needs one final answer that a grader can judge. The authors say that they "did only basic cleaning" (issue 10
of their repository: what has no answer is dropped, and what no round ever solves); these rules go further, and each is
counted by name, so that nobody has to wonder what is missing.

    no answer          none was found where the set has it
    proof              "prove" or "show that", and nothing is asked for
    picture            the question shows an image, which a text model cannot see ([asy] code it can)
    letter             the answer is the letter of a choice: one trajectory in five is right by luck
    several questions  parts (a) and (b), or (i) and (ii): one answer does not answer them
    prose              the answer is a sentence
    long answer, long question   longer than `CleaningConfig` allows
"""

from __future__ import annotations

import dataclasses
import re

from rstar_jax.problems.published import Candidate

_PROOF = re.compile(r"\b(prove|show that|demonstrate that)\b", re.IGNORECASE)
_ASKS = re.compile(
    r"\?|\b(find|determine|compute|calculate|evaluate|what|which|how many|how much|solve|express|simplify)\b",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"!\[|\\includegraphics|<img|<image", re.IGNORECASE)
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|rm|bf)\s*\{([^{}]*)\}")
_LETTER = re.compile(r"\(?\s*([A-E])\s*\)?\.?")
_CHOICE = re.compile(r"(?:^|[\s({$~])\(?([A-E])\s*[).:]")
_PARTS = (
    re.compile(r"(?:^|\s)\(?a\)\s.*(?:^|\s)\(?b\)\s", re.DOTALL),
    re.compile(r"(?:^|\s)\(?i\)\s.*\(?ii\)\s", re.DOTALL),
)
_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{3,}")
_CHOICES = 3  # letters that have to stand in a question before it is a choice
_WORDS_OF_PROSE = 5


@dataclasses.dataclass(frozen=True)
class CleaningConfig:
    """max_question, max_answer: characters. letters, several_questions: keep such problems."""

    max_question: int = 4000
    max_answer: int = 100
    letters: bool = False
    several_questions: bool = False


CLEANING = CleaningConfig()


def clean_answer(answer: str | None) -> str | None:
    """An answer without the marks around it; None if nothing is left."""
    if answer is None:
        return None
    text = answer.strip().removesuffix(".").strip()
    while len(text) > 1 and text[0] == text[-1] == "$":
        text = text[1:-1].strip()
    return text or None


def why_not(candidate: Candidate, config: CleaningConfig) -> str | None:
    """The name of the first rule that a row breaks, or None."""
    question, answer = candidate.question.strip(), clean_answer(candidate.answer)
    if not question or answer is None:
        return "no answer" if question else "no question"
    broken = {
        "proof": bool(_PROOF.search(question)) and not _ASKS.search(question),
        "picture": bool(_PICTURE.search(question)),
        "letter": not config.letters and _is_letter_of_choice(question, answer),
        "several questions": not config.several_questions and any(part.search(question) for part in _PARTS),
        "prose": len(_WORD.findall(_COMMAND.sub(" ", answer))) >= _WORDS_OF_PROSE,
        "long answer": len(answer) > config.max_answer,
        "long question": len(question) > config.max_question,
    }
    return next((rule for rule, holds in broken.items() if holds), None)


def _is_letter_of_choice(question: str, answer: str) -> bool:
    bare = _WRAPPED.sub(r"\1", answer).strip()
    return bool(_LETTER.fullmatch(bare)) and len(set(_CHOICE.findall(_WRAPPED.sub(r" \1 ", question)))) >= _CHOICES
