r"""Notations that the strict grader reads and the released one does not: rewritten before both use the same reader.

So the verdicts of the released grader stay what they are, whatever the strict one learns.
"""

from __future__ import annotations

import functools
import re

from rstar_jax.grading.limits import MAX_CHARACTERS
from rstar_jax.grading.normalise import clean
from rstar_jax.grading.words import number_word

_SHORT = 300  # characters
_ROW_GAP = re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|mm|cm|em|ex)\s*\]")
_WIDE_THOUSANDS = re.compile(r"(?<=\d),\s*\\!\s*(?=\d{3}(?!\d))")
_SPACED_COMMA = re.compile(r"(?<=\d),(?:\\[ ;:]|~)(?=\d)")
_DIGIT_GROUPS = re.compile(r"\d+(?:,\d+)+")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_HALF_DAY = re.compile(r"(?<![A-Za-z\\])([aApP])\.\s?([mM])(?![A-Za-z])\.?")
_BLACKBOARD = re.compile(r"\\mathbb\s*([A-Z])(?![a-z])")
_WITHOUT = re.compile(r"(\\mathbb\{R\})\s*-\s*(?=\\(?:left\s*\\)?\{)")
_PRIME = re.compile(r"\^\s*(?:\{(?:\s*\\prime)+\s*\}|(?:\\prime)+)")
_TEMPERATURE = re.compile(
    r"(?<=[\d)}])\s*(?:\^\s*\{?\s*\\circ\s*\}?|°)\s*(?:\\(?:text|mathrm|rm)\s*\{\s*([CF])\s*\}|([CF])(?![A-Za-z\d_({]))"
)
_SCALES = {"C": r"\text{ degrees Celsius}", "F": r"\text{ degrees Fahrenheit}"}
_CHOSEN = re.compile(r"(?<![A-Za-z\\_}])C\((\d+),\s*(\d+)\)")
_MODULE = re.compile(r"(?<![A-Za-z\\])(?:np|numpy|math|sp|sympy|cmath)\.(?=(?:pi|e|E|I|oo|inf)(?!\w))")
_UNIT_POWER = re.compile(r"(?<=\s)([a-z]+)\*\*([23])$")
_QUOTED = re.compile(r"""(?<![A-Za-z\d)])(['"])([^'"]*)\1""")  # ['3', '4']
_ALL_REALS = re.compile(r"(?i:\ball\s?real\s?numbers\b|\bthe set of all real numbers\b)")
_FLAGGED = re.compile(r"Interval\(([^(),]+),([^(),]+),\s*(True|False),\s*(True|False)\)")
_OPENINGS = {("True", "True"): ".open", ("True", "False"): ".Lopen", ("False", "True"): ".Ropen"}
_ONE_ROW = re.compile(r"(?:Matrix\()?\[\[([^\[\]]*,[^\[\]]*)\]\]\)?")
_OR, _AND = re.compile(r"(?<=\))\s*\|\s*(?=\()"), re.compile(r"\)\s*&\s*\(")
_CHAIN = re.compile(r"(.+<=?\s*)([a-z]\w*) and \2(\s*<=?.+)")


def strict_clean(text: str) -> str | None:
    """The text in the plain notation of the reader, or None if it is too long to be an answer."""
    if len(text) <= _SHORT:
        return _known(text)  # a search asks for one gold many times
    return clean(_rewritten(text)) if len(text) <= MAX_CHARACTERS else None


@functools.lru_cache(maxsize=8192)
def _known(text: str) -> str | None:
    return clean(_rewritten(text))


def _rewritten(text: str) -> str:
    text = text.strip(" \n")  # a tab may be the begin of a command
    if len(text) > 2 and text[0] == text[-1] == "'":  # a string of Python print
        text = text[1:-1]
    if "," in text:
        text = _commas(text)
    if "\\" in text:
        text = _latex(text)
    else:
        text = _printed(text)
    if "eal" in text:  # also where a benchmark has lost its spaces
        text = _ALL_REALS.sub("all real numbers", text)
    if "circ" in text or "°" in text:
        text = _TEMPERATURE.sub(lambda m: _SCALES[m[1] or m[2]], text)
    return _in_words(text) if " " in text or ".m" in text or ".M" in text else text


def _commas(text: str) -> str:
    """27,54,108 is a list; so are 10,000, 20,000 and, with a space of LaTeX, 100,\\ 200."""
    text = _SPACED_COMMA.sub(", ", _WIDE_THOUSANDS.sub(r",\\!", text))

    def separated(match: re.Match[str]) -> str:
        if not _THOUSANDS.fullmatch(match.group()):
            return match.group().replace(",", ", ")
        return match.group() + (" " if text[match.end() : match.end() + 1] == "," else "")

    return _DIGIT_GROUPS.sub(separated, text)


def _latex(text: str) -> str:
    text = _BLACKBOARD.sub(r"\\mathbb{\1}", _ROW_GAP.sub(r"\\\\", text))
    text = _PRIME.sub(lambda m: "'" * m.group().count("prime"), _WITHOUT.sub(r"\1\\setminus", text))
    return re.sub(r"(?<!\\)\\$", "", text)


def _printed(text: str) -> str:
    """Python and SymPy print, and C(n,k)."""
    if "**" in text or "." in text:
        text = _UNIT_POWER.sub(r"\1^\2", _MODULE.sub("", text))
    if text[:1] in ("[", "{", "(") and ("'" in text or '"' in text):
        text = _QUOTED.sub(r"\2", text)
    if "(" not in text and "[" not in text:
        return text
    text = _CHOSEN.sub(r"\\binom{\1}{\2}", text)
    text = _FLAGGED.sub(lambda m: f"Interval{_OPENINGS.get((m[3], m[4]), '')}({m[1]},{m[2]})", text)
    if match := _ONE_ROW.fullmatch(text):
        return rf"\begin{{matrix}}{match[1].replace(',', '&')}\end{{matrix}}" if "(" not in match[1] else text
    if ("<" in text or ">" in text) and (_OR.search(text) or _AND.search(text)):
        return " or ".join(_condition(part) for part in _OR.split(text))
    return text


def _condition(text: str) -> str:
    """`(-oo < x) & (x < 1)` as a chain."""
    parts = [part.strip("( )") for part in _AND.split(text.strip())]
    closed = " and ".join(part + ")" * (part.count("(") - part.count(")")) for part in parts)
    return _CHAIN.sub(r"\1\2\3", closed)


def _in_words(text: str) -> str:
    """Half days, per cent, and `negative three`, `minus 3` as numbers."""
    text = _HALF_DAY.sub(r"\1\2", text.replace("per cent", "percent"))
    sign, _, rest = text.partition(" ")
    if sign.lower() not in ("negative", "minus"):
        return text
    value = number_word(rest)
    return f"-{rest}" if re.fullmatch(r"\d+(?:\.\d+)?\.?", rest) else text if value is None else f"-{value}"
