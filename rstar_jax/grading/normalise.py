"""From the text of an answer to one plain notation (rules 1, 3, 4, 5): wrappers, Unicode, thousands, control
characters.

Row ends `\\\\` become the character ROW_END first, so that no later rule takes them for an escape.
"""

from __future__ import annotations

import re
import unicodedata

from rstar_jax.grading.limits import MAX_CHARACTERS

ROW_END = "\ue000"

_CONTROL = (  # a Python string without its r prefix: "\frac" arrives as form feed + "rac"
    ("\t", "frac", "\\tfrac"), ("\t", "ext{", "\\text{"), ("\t", "imes", "\\times"), 
    ("\t", "heta", "\\theta"),
    ("\t", "an", "\\tan"), ("\t", "o", "\\to"), ("\x0c", "rac", "\\frac"), ("\x08", "egin", "\\begin"),
    ("\x08", "oxed", "\\boxed"), ("\x08", "inom", "\\binom"), ("\x08", "eta", "\\beta"), 
    ("\r", "ight", "\\right"),
    ("\x07", "lpha", "\\alpha"), ("\x07", "pprox", "\\approx"), ("\n", "eq ", "\\neq "),
)  # fmt: skip
_UNICODE = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "⁻": "^{-}", "×": r"\times ", "·": r"\cdot ",
    "⋅": r"\cdot ",
    "∙": r"\cdot ", "•": r"\cdot ", "÷": "/", "∕": "/", "⁄": "/", "π": r"\pi ", "∞": r"\infty ",
    "∪": r"\cup ",
    "∩": r"\cap ", "∈": r"\in ", "≤": r"\le ", "⩽": r"\le ", "≦": r"\le ", "≥": r"\ge ", "⩾": r"\ge ",
    "≧": r"\ge ",
    "≠": r"\ne ", "≈": r"\approx ", "±": r"\pm ", "∓": r"\mp ", "°": r"^\circ ", "º": r"^\circ ",
    "˚": r"^\circ ",
    "√": r"\sqrt ", "∛": r"\sqrt[3] ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ",
    "λ": r"\lambda ", "φ": r"\phi ", "ϕ": r"\phi ", "μ": r"\mu ", "σ": r"\sigma ", "ω": r"\omega ",
    "δ": r"\delta ",
    "∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}",
    "′": "'", "’": "'", "‘": "'", "“": '"', "”": '"', "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ",
    "⌉": r"\rceil ", "⟨": r"\langle ", "⟩": r"\rangle ", "∖": r"\setminus ", "∣": "|", "→": r"\to ",
    "∠": r"\angle ",
    "\u2061": "", "\u200b": "", "\ufeff": "", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "，": ", ",
    "；": "; ",
    "。": ".", "：": ":", "（": "(", "）": ")",
}  # fmt: skip
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿˣⁱ", "0123456789+-nxi", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_VULGAR = re.compile("[¼-¾⅐-⅞]")
_SPACING = re.compile(
    r"\\(?:[,;:!> ]|quad(?![a-z])|qquad(?![a-z])|thinspace|enspace|displaystyle|textstyle|limits|nolimits)"
)
_LEFT_RIGHT = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-z])\s*(\.(?=[^0-9]|$))?")
_GLUED_LEFT = re.compile(r"\\(?:left|right)(?=\\)")
_THOUSANDS_MARK = re.compile(r"(?<=\d)(?:\{,\}|,?\\[,!;: ]|,~|~)+(?=\d{3}(?!\d))")
_PHANTOM = re.compile(r"\\(?:[hv]space|phantom|label|tag)\*?\{[^{}]*\}")
_MATH_MARKS = re.compile(r"\\[()\[\]]|\$\$")
_DOUBLED_COMMAND = re.compile(
    r"\\\\(?=(?:d?t?frac|sqrt|pi|text|left|right|boxed|cdot|infty|pm|le|ge|in|cup|binom)\b)"
)
_LETTER_UNION = re.compile(r"(?<=[)\]}])\s*[Uu]\s*(?=[(\[\\])")
_END_MARKS = re.compile(r"(?<!\.)[.,;。]\s*((?:\s|\}|\$|\\[\])])*)$")


def clean(text: str) -> str | None:
    """The text in plain notation, or None if it is too long to be an answer (rule 15)."""
    if len(text) > MAX_CHARACTERS:
        return None
    for mark, rest, command in _CONTROL:
        if mark in text:
            text = text.replace(mark + rest, command)
    if "begin" not in text:
        text = _DOUBLED_COMMAND.sub(r"\\", text)
    text = text.replace("\\\\", ROW_END)
    text = _plain_unicode(text)
    if len(text) > 2 * MAX_CHARACTERS:
        return None
    text = _math_marks(text.strip())
    text = _PHANTOM.sub(" ", text)
    text = _THOUSANDS_MARK.sub("", text)
    text = _SPACING.sub(" ", text).replace("~", " ")
    text = _LEFT_RIGHT.sub(" ", _GLUED_LEFT.sub("", text))
    text = _LETTER_UNION.sub(r" \\cup ", text)
    return _strip_end(text)


def _plain_unicode(text: str) -> str:
    if text.isascii():
        return text
    text = _runs(_runs(text, _SUPERSCRIPTS, "^"), _SUBSCRIPTS, "_")
    text = _VULGAR.sub(_vulgar_fraction, text)
    text = "".join(_UNICODE.get(c, c) for c in text)
    return unicodedata.normalize("NFKC", text)


def _runs(text: str, table: dict[str, str], mark: str) -> str:
    """Groups runs of small digits: x¹² is x^{12}."""
    pattern = re.compile(f"[{''.join(table)}]+")
    return pattern.sub(lambda m: mark + "{" + "".join(table[c] for c in m.group()) + "}", text)


def _vulgar_fraction(match: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", match.group()).partition("⁄")
    return f"\\frac{{{top}}}{{{bottom}}}"


def _math_marks(text: str) -> str:
    """Drops dollar signs that delimit mathematics; a lone one is money."""
    text = _MATH_MARKS.sub(" ", text)
    plain = text.replace("\\$", "\ue001")
    if plain.count("$") % 2 == 0:
        plain = plain.replace("$", " ")
    return plain.replace("$", "\ue001").replace("\ue001", "\\$")


def _strip_end(text: str) -> str:
    """One trailing full stop, comma or row end is punctuation; markdown around the whole is dressing."""
    text = text.strip().rstrip(ROW_END).strip()
    for mark in ("**", "`", '"', "*"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text[len(mark) : -len(mark)].strip()
    return _END_MARKS.sub(r"\1", text).strip()
