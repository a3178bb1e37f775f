"""Caps that keep the first stage within milliseconds on any text (grading lesson: every parser hangs on
something).

Beyond a cap the first stage says that it does not know, or, for whole answers that are too long, that they
are wrong.
"""

MAX_CHARACTERS = 20_000  # rule 15: longer answers are not answers
MAX_TOKENS = 1_000
MAX_EXPRESSION_TOKENS = 400
MAX_DEPTH = 120
MAX_DIGITS = 2_500  # of one written number
MAX_EXPONENT = 5_000  # of one written number in scientific notation
MAX_BITS = 40_000  # of an exact intermediate value
MAX_MAGNITUDE = 2**40  # binary exponent of an approximate intermediate value
MAX_FACTORIAL = 3_000
MAX_ITEMS = 200  # of a list
MAX_PAIRWISE = 24  # elements of a list that have to be compared with each other
MAX_SIGNS = 4  # plus-minus signs in one element


class TooHard(Exception):
    """A cap was met: the first stage does not know."""
