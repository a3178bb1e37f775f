"""Small stories in steps, each about one feature whose state must survive from step to step.

A feature is a function of a random generator and of a suffix for its names; it returns its pieces. A piece is one
step, or a tuple of steps that follow one another because a statement is split between them.
"""

from __future__ import annotations

import random
from collections.abc import Callable

Piece = str | tuple[str, ...]
Feature = Callable[[random.Random, str], list[Piece]]


def arithmetic(r: random.Random, n: str) -> list[Piece]:
    a, b = r.randint(2, 99), r.randint(2, 99)
    return [
        f"a{n}, b{n} = {a}, {b}\n",
        f"c{n} = a{n} ** 3 // b{n}\nprint(c{n}, a{n} / b{n})\n",
        f"print(f'{{c{n} % 7:>5}}', -c{n} // 2, round(a{n} / b{n}, 3))\n",
    ]


def loops(r: random.Random, n: str) -> list[Piece]:
    limit = r.randint(5, 60)
    return [
        f"hits{n} = []\nfor k{n} in range({limit}):\n    if k{n} % {r.randint(2, 5)} == 1:\n        hits{n}.append(k{n})\n",
        f"while len(hits{n}) > 3:\n    hits{n}.pop()\nelse:\n    print('end', k{n})\n",
        f"print(hits{n}, sum(hits{n}))\n",
    ]


def split_loop(r: random.Random, n: str) -> list[Piece]:
    limit = r.randint(3, 9)
    return [
        f"t{n} = 0\n",
        (f"for i{n} in range({limit}):\n", f"    t{n} += i{n}\n", f"    u{n} = t{n} * 2\n"),
        f"print(t{n}, u{n})\n",
    ]


def split_if(r: random.Random, n: str) -> list[Piece]:
    value = r.randint(0, 10)
    return [
        (
            f"v{n} = {value}\nif v{n} > 7:\n    w{n} = 'big'\n",
            f"elif v{n} > 3:\n    w{n} = 'middle'\n",
            f"else:\n    w{n} = 0\n",
        ),
        f"print(w{n})\n",
    ]


def split_function(r: random.Random, n: str) -> list[Piece]:
    return [
        (
            f"def f{n}(x):\n    y = x + {r.randint(1, 9)}\n",
            f"    z = y * {r.randint(2, 9)}\n",
            f"    return z\nprint(f{n}(2))\n",
        ),
        f"print([f{n}(x) for x in range(4)])\n",
    ]


def split_class(r: random.Random, n: str) -> list[Piece]:
    return [
        (
            f"class C{n}:\n    count = 0\n    def __init__(self, x):\n        self.x = x\n        C{n}.count += 1\n",
            f"    def double(self):\n        return self.x * 2 + C{n}.count\n",
        ),
        f"c{n} = C{n}({r.randint(1, 9)})\nprint(c{n}.double())\n",
        f"d{n} = C{n}(c{n}.x)\nprint(d{n}.double(), c{n}.double(), type(d{n}).__name__)\n",
    ]


def split_brackets(r: random.Random, n: str) -> list[Piece]:
    return [
        (f"m{n} = [{r.randint(1, 9)},\n", "     2, 3,\n", "]\n"),
        (f"s{n} = '''one\n", "two'''\n"),
        f"print(m{n}, s{n}.split())\n",
    ]


def split_try(r: random.Random, n: str) -> list[Piece]:
    return [
        (
            f"try:\n    q{n} = 1 / {r.choice([0, 2])}\n",
            f"except ZeroDivisionError as e{n}:\n    q{n} = str(e{n})\n",
            "finally:\n    print('tried')\n",
        ),
        f"print(q{n}, 'e{n}' in globals())\n",
    ]


def classes(r: random.Random, n: str) -> list[Piece]:
    return [
        f"class A{n}:\n    items = []\n    def add(self, x):\n        self.items.append(x)\n        return self\n",
        f"class B{n}(A{n}):\n    def add(self, x):\n        return super().add(x * {r.randint(2, 5)})\n",
        f"A{n}().add(1)\nB{n}().add(2)\nprint(A{n}.items, B{n}.__mro__[1].__name__)\n",
        f"print(A{n}.items is B{n}.items, B{n}().add(3).items, B{n}.__module__, A{n}.__qualname__)\n",
    ]


def dataclass(r: random.Random, n: str) -> list[Piece]:
    return [
        "from dataclasses import dataclass, field, replace\n",
        f"@dataclass(order=True)\nclass P{n}:\n    x: int\n    y: int = {r.randint(0, 9)}\n    tags: list = field(default_factory=list)\n",
        f"p{n} = P{n}({r.randint(0, 9)})\np{n}.tags.append('a')\n",
        f"print(p{n}, replace(p{n}, y=1) < p{n}, P{n}(1).tags)\n",
    ]


def closures(r: random.Random, n: str) -> list[Piece]:
    return [
        f"def counter{n}():\n    c = {r.randint(0, 9)}\n    def step():\n        nonlocal c\n        c += 1\n        return c\n    return step\n",
        f"step{n} = counter{n}()\nstep{n}()\n",
        f"print(step{n}(), counter{n}()())\n",
        f"fs{n} = [lambda: k{n} for k{n} in range(3)]\nprint([f() for f in fs{n}], step{n}())\n",
    ]


def generators(r: random.Random, n: str) -> list[Piece]:
    return [
        f"def gen{n}():\n    total = 0\n    while True:\n        got = yield total\n        total += got or {r.randint(1, 5)}\n",
        f"g{n} = gen{n}()\nnext(g{n})\nprint(g{n}.send(10))\n",
        f"print(next(g{n}), next(g{n}))\n",
        f"g{n}.close()\nprint(list(g{n}))\n",
    ]


def iterators(r: random.Random, n: str) -> list[Piece]:
    return [
        f"import itertools\nit{n} = itertools.count({r.randint(0, 9)}, 3)\nz{n} = zip('abcdef', it{n})\n",
        f"print(next(it{n}), next(z{n}))\n",
        f"print(list(itertools.islice(z{n}, 2)), next(it{n}))\n",
        f"pairs{n} = iter(sorted({{'b': 1, 'a': 2}}.items()))\nprint(next(pairs{n}))\n",
    ]


def global_names(r: random.Random, n: str) -> list[Piece]:
    return [
        f"total{n} = {r.randint(0, 9)}\ndef bump{n}(by):\n    global total{n}, fresh{n}\n    total{n} += by\n    fresh{n} = by\n",
        f"bump{n}({r.randint(1, 9)})\n",
        f"print(total{n}, fresh{n}, __name__)\n",
        f"del fresh{n}\nprint('fresh{n}' in globals(), 'total{n}' in vars())\n",
    ]


def comprehensions(r: random.Random, n: str) -> list[Piece]:
    return [
        f"x{n} = {r.randint(1, 9)}\nsq{n} = [x{n} * y for y in range(4)]\n",
        f"tab{n} = {{k: [j for j in range(k)] for k in range(3)}}\nprint(tab{n}, [x{n} for x{n} in 'ab'], x{n})\n",
        f"print([last{n} := y for y in sq{n}], last{n})\n",
    ]


def hashing(r: random.Random, n: str) -> list[Piece]:
    words = r.sample(["pear", "apple", "fig", "plum", "kiwi", "lime", "date"], 5)
    return [
        f"s{n} = set({words!r})\nprint(s{n})\n",
        f"s{n}.discard({words[0]!r})\nd{n} = dict.fromkeys(s{n})\nprint(list(d{n}), frozenset([3, 1, 2]))\n",
        f"print(hash({words[1]!r}) % 1000, s{n} | {{'x'}}, s{n}.pop() in d{n})\n",
    ]


def default_arguments(r: random.Random, n: str) -> list[Piece]:
    return [
        f"def add{n}(x, seen=[], *, memo={{}}):\n    seen.append(x)\n    memo[x] = len(seen)\n    return seen, memo\n",
        f"add{n}({r.randint(0, 9)})\n",
        f"print(add{n}({r.randint(0, 9)}))\n",
        f"print(add{n}.__defaults__, add{n}.__kwdefaults__)\n",
    ]


def fractions(r: random.Random, n: str) -> list[Piece]:
    return [
        "from fractions import Fraction\nfrom decimal import Decimal, getcontext\n",
        f"f{n} = Fraction({r.randint(1, 20)}, {r.randint(1, 20)})\ngetcontext().prec = {r.randint(5, 20)}\n",
        f"f{n} += Fraction('0.125')\nprint(f{n}, f{n}.limit_denominator(7))\n",
        f"print(Decimal(1) / Decimal(7), float(f{n}))\n",
    ]


def seeded(r: random.Random, n: str) -> list[Piece]:
    return [
        f"import random\nrandom.seed({r.randint(0, 99)})\n",
        f"r{n} = [random.randint(1, 100) for _ in range(3)]\n",
        f"print(r{n}, random.random())\n",
        f"random.shuffle(r{n})\nprint(r{n}, random.choice('abc'), random.gauss(0, 1))\n",
    ]


def unseeded(r: random.Random, n: str) -> list[Piece]:
    return ["import random\n", f"u{n} = random.random()\n", f"print(u{n}, random.randrange({r.randint(2, 999)}))\n"]


def numpy(r: random.Random, n: str) -> list[Piece]:
    return [
        f"import numpy as np\nnp.random.seed({r.randint(0, 99)})\n",
        f"v{n} = np.arange({r.randint(3, 9)}) ** 2\nnp.set_printoptions(precision={r.randint(2, 5)})\n",
        f"w{n} = v{n}[1:]\nw{n} += 1\nprint(v{n}, np.random.rand())\n",
        f"print(np.array([1 / 3]), v{n}.mean(), np.linalg.det(np.eye(2) * 2), np.random.randint(0, 9, 3))\n",
    ]


def sympy(r: random.Random, n: str) -> list[Piece]:
    a, b = r.randint(1, 9), r.randint(1, 9)
    return [
        f"import sympy as sp\nx{n}, y{n} = sp.symbols('x y')\n",
        f"e{n} = sp.expand((x{n} - {a}) * (x{n} + {b}) * (y{n} + 1))\nprint(e{n})\n",
        f"print(sp.solve(e{n}.subs(y{n}, 1), x{n}), sp.factor(e{n}), e{n}.free_symbols)\n",
        f"sp.diff(e{n}, x{n}) + sp.Rational({a}, {b})\n",
    ]


def sympy_state(r: random.Random, n: str) -> list[Piece]:
    return [
        "from sympy import *\n",
        f"t{n} = Symbol('t', positive=True)\nF{n} = Function('f')\n",
        f"print(integrate(t{n} ** {r.randint(1, 4)}, (t{n}, 0, 2)), sqrt(t{n} ** 2), N(pi, 8))\n",
        f"print(F{n}(t{n}).diff(t{n}), Matrix([[1, t{n}], [0, 2]]).det(), symbols('a:3'), Dummy('k'))\n",
    ]


def exceptions(r: random.Random, n: str) -> list[Piece]:
    return [
        f"class Bad{n}(ValueError):\n    def __str__(self):\n        return f'bad {{self.args}}'\n",
        f"def risky{n}(x):\n    if x > 1:\n        raise Bad{n}(x)\n    return x\n",
        f"try:\n    risky{n}({r.randint(0, 3)})\nexcept Bad{n} as error:\n    kept{n} = error\nelse:\n    kept{n} = None\n",
        f"print(repr(kept{n}), kept{n})\n",
    ]


def imports(r: random.Random, n: str) -> list[Piece]:
    return [
        "import collections, math\nfrom functools import reduce, lru_cache\n",
        f"@lru_cache(None)\ndef fib{n}(k):\n    return k if k < 2 else fib{n}(k - 1) + fib{n}(k - 2)\nprint(fib{n}({r.randint(5, 40)}))\n",
        f"print(fib{n}.cache_info(), collections.Counter('banana').most_common(1))\n",
        f"math.tau{n} = 1\nprint(reduce(math.gcd, [12, 18, {r.randint(1, 30)}]), hasattr(math, 'tau{n}'))\n",
    ]


def dynamic(r: random.Random, n: str) -> list[Piece]:
    return [
        f"exec('dyn{n} = {r.randint(0, 9)}')\nglobals()['more{n}'] = [1]\n",
        f"print(eval('dyn{n} + more{n}[0]'), type('T{n}', (), {{'a': 1}})().a)\n",
        f"import sys, __main__\nprint(__main__.dyn{n}, sys.modules['__main__'] is __main__)\n",
    ]


def with_and_match(r: random.Random, n: str) -> list[Piece]:
    return [
        f"from contextlib import contextmanager\n@contextmanager\ndef note{n}(x):\n    print('in', x)\n    yield x\n    print('out', x)\n",
        (f"with note{n}({r.randint(0, 9)}) as got{n}:\n", f"    kept{n} = got{n} + 1\n"),
        f"match kept{n}:\n    case 1 | 2:\n        print('small')\n    case int(v) if v > 5:\n        print('large', v)\n    case _:\n        print('other')\n",
    ]


def values(r: random.Random, n: str) -> list[Piece]:
    return [f"k{n} = {r.randint(0, 9)}\n", f"k{n} * 2\n", f"'text %d' % k{n}\n", f"k{n}; [k{n}]\n"]


FEATURES: tuple[Feature, ...] = (
    *(arithmetic, loops, split_loop, split_if, split_function, split_class, split_brackets, split_try, classes),
    *(dataclass, closures, generators, iterators, global_names, comprehensions, hashing, default_arguments),
    *(fractions, seeded, unseeded, exceptions, imports, dynamic, with_and_match, values),
)
SLOW_FEATURES: tuple[Feature, ...] = (numpy, sympy, sympy_state)
ERRORS = (
    "print(not_defined)\n",
    "1 / 0\n",
    "x = [1, 2][5]\n",
    "raise ValueError('one', 2)\n",
    "raise KeyError('a key')\n",
    "assert 1 == 2, 'no'\n",
    "int('seven')\n",
    "class E(Exception): pass\nraise E\n",
    "import no_such_module\n",
    "x = = 3\n",
    "for k in range(3)\n    print(k)\n",
    "    indented = 1\n",
    "print('open\n",
    "def f(n): return f(n + 1)\nf(0)\n",
    "print(10 ** 5000)\n",
    "(lambda: missing)()\n",
    "raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'why')\n",
    "next(iter([]))\n",
    "{}['a']['b']\n",
    "None.real\n",
    "'a' + 1\n",
)
COMPILE_ERRORS = (  # they parse; a fresh interpreter finds them before the first line runs
    "return 3\n",
    "break\n",
    "yield 1\n",
    "await later\n",
    "nonlocal z\n",
    "def g(x, x): pass\n",
    "def h():\n    from math import *\n",
    "z = 1\nglobal z\n",
    "from __future__ import annotations\n",
    "from __future__ import braces\n",
    "class K:\n    return 1\n",
    "(x := 1 for x in range(3))\n",
    "match 1:\n    case y: pass\n    case z: pass\n",
    "try: pass\nexcept: pass\nexcept ValueError: pass\n",
)
