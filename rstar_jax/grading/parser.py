"""Recursive descent from tokens to an expression, for LaTeX and Python print in one grammar (rules 2, 6, 14).

sum -> term {+- term};  term -> unary {*/ unary | power};  unary -> - unary | power;
power -> postfix [^ exponent];  postfix -> atom {! | degree | %}.
"""

from __future__ import annotations

from rstar_jax.grading.expression import Expression, Number, Symbol, apply, integer
from rstar_jax.grading.lexer import Token, Unreadable
from rstar_jax.grading.limits import MAX_DEPTH, MAX_EXPRESSION_TOKENS, TooHard
from rstar_jax.grading.vocabulary import SYMBOLS
from rstar_jax.grading.written import number, split_word

_ATOM_OPS = frozenset({"(", "{", "lfloor", "lceil", "["})
_ATOM_COMMANDS = frozenset(
    {
        "frac",
        "sqrt",
        "binom",
        "boxed",
        "fbox",
        "overline",
        "bar",
        "hat",
        "vec",
        "tilde",
        "underline",
        "widehat",
        "overrightarrow",
    }
)
_FIGURES = frozenset({"angle", "triangle", "measuredangle"})
_ACCENTS = _ATOM_COMMANDS - {"frac", "sqrt", "binom", "boxed", "fbox"}
_CLOSERS = {"(": ")", "{": "}", "[": "]", "lfloor": "rfloor", "lceil": "rceil", "|": "|"}
_INVERSE = {"sin": "asin", "cos": "acos", "tan": "atan", "cot": "acot", "sinh": "asinh", "cosh": "acosh",
            "tanh": "atanh"}  # fmt: skip


def parse(tokens: list[Token]) -> Expression:
    """The expression that all the tokens make. Unreadable if they make none, TooHard beyond the caps."""
    if len(tokens) > MAX_EXPRESSION_TOKENS:
        raise TooHard("long expression")
    reader = _Reader(tokens)
    tree = reader.stacked(reader.sum())
    if reader.at != len(reader.tokens):
        raise Unreadable(f"left over: {reader.tokens[reader.at].text}")
    return tree


class _Reader:
    def __init__(self, tokens: list[Token]):
        self.tokens = list(tokens)
        self.at = 0
        self.depth = 0
        self.bars = 0

    def peek(self, ahead: int = 0) -> Token | None:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None

    def sees(self, *texts: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token is not None and token.kind in ("op", "command") and token.text in texts

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise Unreadable("ends early")
        self.at += 1
        return token

    def accept(self, *texts: str) -> bool:
        if self.sees(*texts):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Unreadable(f"no {text}")

    def sum(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooHard("nesting")
        tree = self.term()
        while self.sees("+", "-"):
            head = "add" if self.take().text == "+" else "sub"
            tree = apply(head, tree, self.term())
        self.depth -= 1
        return tree

    def term(self) -> Expression:
        tree = self.unary()
        while True:
            if self.accept("*"):
                tree = apply("mul", tree, self.unary())
            elif self.accept("/"):
                tree = apply("div", tree, self.unary())
            elif self.starts_factor():
                tree = apply("mul", tree, self.power())
            else:
                return tree

    def starts_factor(self) -> bool:
        token = self.peek()
        if token is None or token.kind in ("text", "builder"):
            return False
        if token.kind == "op":
            return token.text in _ATOM_OPS or (token.text == "|" and self.bars == 0)
        if token.kind == "command":
            return token.text in _ATOM_COMMANDS or token.text in _FIGURES
        return token.kind != "number" or self.tokens[self.at - 1].kind != "number"

    def unary(self) -> Expression:
        signs = 0
        while self.sees("+", "-"):
            signs += self.take().text == "-"
        tree = self.power()
        return apply("neg", tree) if signs % 2 else tree

    def power(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooHard("nesting")
        tree = self.postfix()
        if self.accept("**"):
            tree = apply("pow", tree, self.unary())
        elif self.accept("^"):
            tree = apply("pow", tree, self.exponent())
        self.depth -= 1
        while self.sees("!"):
            tree = self.marks(tree)
        return tree

    def exponent(self) -> Expression:
        negative = self.accept("-")
        tree = self.postfix()
        if self.accept("^", "**"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise TooHard("nesting")
            tree = apply("pow", tree, self.exponent())
            self.depth -= 1
        return apply("neg", tree) if negative else tree

    def postfix(self) -> Expression:
        return self.marks(self.atom())

    def marks(self, tree: Expression) -> Expression:
        while True:
            if self.accept("!"):
                if self.sees("!"):
                    raise Unreadable("double factorial")
                tree = apply("factorial", tree)
            elif self.accept("%"):
                tree = apply("percent", tree)
            elif self.sees("circ"):
                self.at += 1
                tree = apply("degree", tree)
            elif self.sees("^") and (self.sees("circ", ahead=1) or self.braced_degree()):
                self.at += 2 if self.sees("circ", ahead=1) else 4
                tree = apply("degree", tree)
            else:
                return tree

    def braced_degree(self) -> bool:
        return self.sees("{", ahead=1) and self.sees("circ", ahead=2) and self.sees("}", ahead=3)

    def atom(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooHard("nesting")
        tree = self._atom()
        self.depth -= 1
        return tree

    def _atom(self) -> Expression:
        token = self.take()
        if token.kind == "number":
            return self.mixed(number(token.text))
        if token.kind == "name":
            return self.subscripted(token.text)
        if token.kind == "word":
            self.at -= 1
            self.tokens[self.at : self.at + 1] = split_word(token.text)
            return self._atom()
        if token.kind == "text" and len(token.text) == 1 and token.text.isalpha():
            return Symbol(SYMBOLS.get(token.text, token.text))
        if token.kind == "function":
            return self.function(token.text)
        if token.kind == "op":
            return self.group(token.text)
        if token.kind == "command":
            return self.command(token.text)
        raise Unreadable(token.text)

    def mixed(self, whole: Number) -> Expression:
        """`2\\frac58` and `2 5/8` are sums (rule 6)."""
        start, kept = self.at, list(self.tokens)
        part: Expression | None = None
        if not whole.decimal and self.accept("frac"):
            top, bottom = self.argument(digit=True), self.argument(digit=True)
            part = _proper(top, bottom)
        elif not whole.decimal and self._number_at(0) and self.sees("/", ahead=1) and self._number_at(2):
            top, bottom = number(self.tokens[self.at].text), number(self.tokens[self.at + 2].text)
            part = _proper(top, bottom)
            self.at += 3
        if part is None:
            self.at, self.tokens = start, kept
            return whole
        return apply("add", whole, part)

    def _number_at(self, ahead: int) -> bool:
        token = self.peek(ahead)
        return token is not None and token.kind == "number"

    def subscripted(self, name: str) -> Expression:
        if self.accept("_"):
            name = f"{name}_{self.subscript()}"
        while self.accept("'"):
            name += "'"
        return Symbol(name)

    def subscript(self) -> str:
        """The text of a subscript; it is a part of a name."""
        if not self.accept("{"):
            return self.take().text
        parts, depth = [], 1
        while depth:
            token = self.take()
            depth += (token.text == "{") - (token.text == "}")
            parts.append(token.text)
        return "".join(parts[:-1])

    def group(self, opener: str) -> Expression:
        if opener not in _CLOSERS:
            raise Unreadable(opener)
        self.bars, kept = (self.bars + 1 if opener == "|" else 0), self.bars
        tree = self.sum()
        if opener == "{":
            tree = self.stacked(tree)
        self.expect(_CLOSERS[opener])
        self.bars = kept
        head = {"lfloor": "floor", "lceil": "ceil", "|": "abs"}.get(opener)
        return apply(head, tree) if head else tree

    def stacked(self, top: Expression) -> Expression:
        """`n \\choose k` and `a \\over b`."""
        if self.accept("choose"):
            return apply("binomial", top, self.sum())
        if self.accept("over"):
            return apply("div", top, self.sum())
        return top

    def command(self, name: str) -> Expression:
        if name == "frac":
            return apply("div", self.argument(digit=True), self.argument(digit=True))
        if name == "binom":
            return apply("binomial", self.argument(digit=True), self.argument(digit=True))
        if name == "sqrt":
            return self.radical()
        if name in ("boxed", "fbox"):
            return self.argument()
        if name in _FIGURES:
            return Symbol(f"{name}:{self.take().text}")
        if name in _ACCENTS:
            return Symbol(f"{name}:{self.subscript()}")
        raise Unreadable(name)

    def radical(self) -> Expression:
        if self.accept("["):
            index = self.sum()
            self.expect("]")
            return apply("root", self.argument(), index)
        return apply("sqrt", self.argument())

    def argument(self, digit: bool = False) -> Expression:
        """A braced group or one atom; where LaTeX takes one digit (`\\frac12`), one digit."""
        token = self.peek()
        if token is not None and token.kind == "number" and digit and len(token.text) > 1:
            if "." in token.text:
                raise Unreadable("decimal without braces")
            self.tokens[self.at : self.at + 1] = [
                Token("number", token.text[0]),
                Token("number", token.text[1:]),
            ]
        if token is not None and token.kind == "word" and digit:
            self.tokens[self.at : self.at + 1] = split_word(token.text)
        if token is not None and token.kind == "number":
            return number(self.take().text)
        return self.atom()

    def function(self, head: str) -> Expression:
        if head == "log" and self.accept("_"):
            base = self.argument(digit=True) if not self.sees("{") else self.atom()
            return apply("log", self.function_argument(), base)
        power: Expression | None = None
        if self.accept("^"):
            power = self.exponent()
            if head in _INVERSE and power == apply("neg", integer(1)):
                head, power = _INVERSE[head], None
        if power is None and self.sees("("):
            args = self.call()
            tree = args[0] if head == "same" and len(args) == 1 else apply(head, *args)
        else:
            tree = apply(head, self.function_argument())
        return apply("pow", tree, power) if power is not None else tree

    def call(self) -> list[Expression]:
        self.expect("(")
        if self.peek() is not None and self.peek().text in "'\"":  # type: ignore[union-attr]
            self.at += 1  # Decimal('0.5')
        args = [self.sum()]
        while self.accept(","):
            args.append(self.sum())
        if self.sees("'", '"'):
            self.at += 1
        self.expect(")")
        return args

    def function_argument(self) -> Expression:
        """`\\sin 2x \\cos x`: factors up to the next function or operator."""
        if self.sees("(", "{"):
            return self.postfix()
        negative = self.accept("-")
        tree = self.power()
        while self.starts_factor() and self.peek().kind not in ("function",) and not self.sees("("):  # type: ignore[union-attr]
            tree = apply("mul", tree, self.power())
        return apply("neg", tree) if negative else tree


def _proper(top: Expression, bottom: Expression) -> Expression | None:
    if isinstance(top, Number) and isinstance(bottom, Number) and not top.decimal and not bottom.decimal:
        return apply("div", top, bottom)
    return None
