"""Programs in steps for the executor's benchmark: generated ones, and those in the released example data."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rstar_jax.trajectory import tags

Program = tuple[str, ...]  # its steps
BLOCK = re.compile(rf"{tags.CODE}(.*?){tags.END_OF_CODE}", re.DOTALL)
LOOP_PER_SECOND = 12_000_000  # iterations of `heavy`'s loop, about, on the machine that it was written on


def generate(kind: str, count: int, seed: int = 0) -> list[Program]:
    """`count` different programs of 4 to 10 steps: "light", "sympy" or "heavy"."""
    make = {"light": light, "sympy": symbolic, "heavy": heavy}[kind]
    return [make(random.Random(f"{kind} {seed} {index}")) for index in range(count)]


def light(r: random.Random) -> Program:
    """A word problem's arithmetic: nothing but `math` is imported."""
    first = f"# Step 1: the numbers\nimport math\nv0, v1 = {r.randint(2, 99)}, {r.randint(2, 99)}\n"
    return _finish(r, [first], _LIGHT)


def symbolic(r: random.Random) -> Program:
    """Equations, with SymPy."""
    first = (
        "# Step 1: the equation\nfrom sympy import *\nx, y = symbols('x y')\n"
        f"f = (x - {r.randint(1, 9)}) * (x + {r.randint(1, 9)})\nv0, v1 = f, f\n"
    )
    return _finish(r, [first], _SYMBOLIC)


def heavy(r: random.Random) -> Program:
    """Light, with a brute-force search of 0.05 to 0.5 s as its second step."""
    rounds = int(r.uniform(0.05, 0.5) * LOOP_PER_SECOND)
    first = f"import math\nv0, v1 = {r.randint(2, 99)}, {r.randint(2, 99)}\n"
    search = f"# Try them all\nhits = 0\nfor k in range({rounds}):\n    hits += k % 7 == 3\nv0 = hits\n"
    return _finish(r, [first, search], _LIGHT)


Line = Callable[[random.Random, int], str]
_LIGHT: list[Line] = [
    lambda r, k: f"v{k} = v{k - 1} * {r.randint(2, 9)} + v{k - 2}\n",
    lambda r, k: f"root = math.sqrt(v{k - 1} + {r.randint(1, 99)})\nv{k} = int(root) + 1\n",
    lambda r, k: f"divisors = [d for d in range(1, 200) if v{k - 1} % d == 0]\nv{k} = len(divisors)\n",
    lambda r, k: f"total = 0\nfor i in range({r.randint(5, 60)}):\n    total += i * i\nv{k} = total % 1000\n",
    lambda r, k: f"def g{k}(n):\n    return n + {r.randint(1, 9)}\n\nv{k} = g{k}(v{k - 1})\n",
    lambda r, k: f"v{k} = math.gcd(v{k - 1}, {r.randint(2, 99)}) + math.comb(10, {r.randint(1, 9)})\n",
]
_SYMBOLIC: list[Line] = [
    lambda r, k: f"v{k} = expand(v{k - 1} + x * {r.randint(1, 9)})\n",
    lambda r, k: f"v{k} = f * {r.randint(2, 9)}\nroots = solve(f + {r.randint(1, 9)}, x)\n",
    lambda r, k: f"v{k} = diff(v{k - 1}, x) + x**2\n",
    lambda r, k: f"v{k} = v{k - 2}\nvalue = v{k - 1}.subs(x, Rational({r.randint(1, 9)}, 3))\n",
    lambda r, k: f"v{k} = factor(x**2 - {r.randint(2, 9) ** 2})\n",
    lambda r, k: f"v{k} = simplify(v{k - 1} + x)\n",
]


def _finish(r: random.Random, steps: list[str], lines: list[Line]) -> Program:
    wanted = r.randint(4, 10)
    for k in range(2, wanted - len(steps) + 1):
        steps.append(f"# Step {len(steps) + 1}\n" + r.choice(lines)(r, k))
    last = wanted - len(steps) and max(int(name) for name in re.findall(r"\bv(\d+)", "".join(steps)))
    return (*steps, f"# Now print the final answer\nprint(v{last})\n")


def official(folder: Path) -> list[Program]:
    """The code blocks in the released examples, cut at their steps; [] where the files are not."""
    programs = []
    for file in sorted(folder.glob("*.json")):
        for text in _strings(json.loads(file.read_text(encoding="utf-8"))):
            for block in BLOCK.findall(text):
                steps = [step.replace(tags.CODE, "") for step in block.split(tags.END_OF_STEP)]
                programs.append(tuple(step for step in steps if step.strip()))
    return list(dict.fromkeys(program for program in programs if len(program) > 1))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
