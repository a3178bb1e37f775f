"""Names that the grader knows: functions, Greek letters, units, number words, words for no answer."""

from __future__ import annotations


def listed(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "arccot": "acot", "asin": "asin", "acos": "acos", "atan": "atan",
    "acot": "acot", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "coth": "coth", "sech": "sech",
    "csch": "csch",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "ln": "log", "log": "log", "lg": "log10", "log10": "log10", "log2": "log2",
    "exp": "exp",
    "sqrt": "sqrt", "cbrt": "cbrt", "abs": "abs", "Abs": "abs", "factorial": "factorial",
    "binomial": "binomial",
    "comb": "binomial", "gamma": "gamma_function", "floor": "floor", "ceil": "ceil", "ceiling": "ceil",
    "Rational": "div", "Fraction": "div", "Decimal": "same", "Integer": "same", "Float": "same",
    "float": "same",
    "int": "same", "float64": "same", "int64": "same", "float32": "same", "int32": "same", "S": "same",
    "max": "max",
    "min": "min", "Max": "max", "Min": "min", "gcd": "gcd", "lcm": "lcm", "pow": "pow", "Pow": "pow",
    "root": "root",
    "radians": "radians", "re": "re", "conjugate": "conjugate", "sign": "sign",
}  # fmt: skip
TRIGONOMETRIC = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
PYTHON_ONLY = (
    frozenset(  # names that stand for a variable product or a Greek letter unless an argument list follows
        {
            "gamma",
            "S",
            "re",
            "int",
            "root",
            "float",
            "comb",
            "sign",
            "radians",
            "pow",
            "abs",
            "Integer",
            "Float",
        }
    )
)

GREEK = listed(
    """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho
    sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell
    """
)
SYMBOLS = {"pi": "pi", "Pi": "pi", "infty": "oo", "infinity": "oo", "oo": "oo", "inf": "oo", "E": "e",
           "e": "e", "I": "i", "i": "i", "lamda": "lambda", "varphi": "phi",
           "varepsilon": "epsilon"}  # fmt: skip

_UNIT_NAMES = {
    "degree": "degree degrees deg circ", "radian": "radian radians rad", "percent": "percent percents pct",
    "dollar": "dollar dollars usd bucks", "cent": "cent cents", "euro": "euro euros",
    "pound": "pound pounds lb lbs",
    "yuan": "yuan rmb", "second": "second seconds sec secs s", "minute": "minute minutes min mins",
    "hour": "hour hours hr hrs h", "day": "day days", "week": "week weeks", "month": "month months",
    "year": "year years yr yrs", "meter": "meter meters metre metres m",
    "kilometer": "kilometer kilometers km kms",
    "centimeter": "centimeter centimeters centimetre centimetres cm cms",
    "millimeter": "millimeter millimeters mm",
    "inch": "inch inches in", "foot": "foot feet ft", "yard": "yard yards yd yds", "mile": "mile miles mi",
    "gram": "gram grams g", "kilogram": "kilogram kilograms kg kgs", "milligram": "milligram milligrams mg",
    "ounce": "ounce ounces oz", "liter": "liter liters litre litres L",
    "milliliter": "milliliter milliliters ml",
    "gallon": "gallon gallons gal", "unit": "unit units", "mile/hour": "mph", "kilometer/hour": "kph kmh",
    "joule": "joule joules J", "newton": "newton newtons N", "volt": "volt volts V", "watt": "watt watts W",
    "Pa": "Pa", "Hz": "Hz", "kW": "kW", "kJ": "kJ", "acre": "acre acres",
    "ton": "ton tons tonne tonnes", "time": "time times", "way": "way ways", "am": "am", "pm": "pm",
    "point": "point points",
}  # fmt: skip
UNITS = {word: name for name, words in _UNIT_NAMES.items() for word in words.split()}
UNIT_FILLERS = listed("of a an the per each different possible distinct total approximately about")


def _in_order(text: str) -> list[str]:
    return text.split()


NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        _in_order(
            """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
    """
        )
    )
}
TENS_WORDS = {
    word: 10 * value
    for value, word in enumerate(_in_order("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
SCALE_WORDS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}

EMPTY_WORDS = frozenset(
    {"no solution", "no solutions", "no real solution", "no real solutions", "empty set",
     "there are no solutions", "there is no solution", "none exist", "no real roots"}
)  # fmt: skip
SAME_WORDS = {"dne": "does not exist", "doesn't exist": "does not exist", "true": "yes", "false": "no",
              "indeterminate": "indeterminate", "not defined": "undefined",
              "infinitely many": "infinite"}  # fmt: skip
INVALID_WORDS = frozenset({"nan", "null", "error", "[]", "n/a", "timeout", "()", "{}", "?", "...", "\\ldots"})
