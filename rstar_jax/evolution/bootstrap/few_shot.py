"""The prompt that teaches a general model our trajectory format (paper appendix A.3).

A role, four rules, the template, two worked demonstrations, the question; the solution so far follows
directly. The demonstrations are drawn from a pool once per problem, by its id alone: all steps of a problem
have the same prefix, which a server can keep warm.
"""

from __future__ import annotations

import random

from rstar_jax.problems.problem import Problem

INSTRUCTIONS = r"""You are an expert mathematician who writes Python with ease.
You leave every calculation to a Python interpreter.

Rules:
1. Solve the problem in small steps of code. The solution has three parts: <code>, <output>, <answer>.
2. Calculate in Python only, never in your head. Say in short comments what a step does and why.
3. You may import `math`, `sympy`, `scipy` and `numpy`.
4. Keep to this template:

Question: the problem
<code>
The code, step by step; every step ends with <end_of_step>. Without these marks the code must run: import what
you use, define names before you need them, mind syntax and types. The last step starts with the comment
"Now print the final answer", prints it, and closes the block: <end_of_code>
<output>what the interpreter prints<end_of_output>
<answer>One short sentence with the final answer in \boxed{}: the bare value without its unit, or only the
letter if choices are given.<end_of_answer>"""

_BAKERY = r"""Question: A bakery packs rolls in bags of 6. On Monday it sold 45 bags, on Tuesday a third
fewer. Each roll costs 40 cents. How many dollars did the rolls of both days bring in?
<code>
# Step 1: Tuesday's bags are a third fewer than Monday's
monday_bags = 45
tuesday_bags = monday_bags - monday_bags // 3
<end_of_step>

# Step 2: Count the rolls of both days
rolls = 6 * (monday_bags + tuesday_bags)
<end_of_step>

# Step 3: Turn the price from cents into dollars
dollars = rolls * 40 / 100
<end_of_step>

# Now print the final answer
print(dollars)
<end_of_code>
<output>180.0<end_of_output>
<answer>Both days together brought in \boxed{180} dollars.<end_of_answer>"""

_TANGENT = r"""Question: For which $m > 0$ does the line $y = mx + 1$ touch the parabola $y = x^2 + 3x + 5$?
<code>
from sympy import symbols, discriminant, solve

# Step 1: At a common point the difference of the two sides is zero
x, m = symbols('x m')
difference = x**2 + 3*x + 5 - (m*x + 1)
<end_of_step>

# Step 2: The line touches the parabola where this quadratic has a double root
slopes = solve(discriminant(difference, x), m)
<end_of_step>

# Step 3: Keep the positive slope
positive = [slope for slope in slopes if slope > 0]
<end_of_step>

# Now print the final answer
print(positive[0])
<end_of_code>
<output>7<end_of_output>
<answer>The line touches the parabola for \boxed{7}.<end_of_answer>"""

_DICE = r"""Question: Two fair dice are rolled. What is the probability that the product of the two numbers is
a multiple of 4? Give a common fraction.
<code>
from itertools import product
from sympy import Rational

# Step 1: List all equally likely rolls
rolls = list(product(range(1, 7), repeat=2))
<end_of_step>

# Step 2: Count the rolls whose product is a multiple of 4
good = sum(1 for a, b in rolls if a * b % 4 == 0)
<end_of_step>

# Step 3: Divide exactly, since a fraction is asked for
probability = Rational(good, len(rolls))
<end_of_step>

# Now print the final answer
print(probability)
<end_of_code>
<output>5/12<end_of_output>
<answer>The probability is \boxed{\frac{5}{12}}.<end_of_answer>"""

_REMAINDERS = r"""Question: Which is the smallest positive integer that leaves remainder 2 when divided by 7
and remainder 3 when divided by 11? (A) 25 (B) 58 (C) 47 (D) 80
<code>
# Step 1: Search upwards for the first number with both remainders
number = 1
while number % 7 != 2 or number % 11 != 3:
    number += 1
<end_of_step>

# Step 2: Find the choice with this value
choices = {'A': 25, 'B': 58, 'C': 47, 'D': 80}
letter = next(name for name, value in choices.items() if value == number)
<end_of_step>

# Now print the final answer
print(letter)
<end_of_code>
<output>B<end_of_output>
<answer>The number is 58, so the choice is \boxed{B}.<end_of_answer>"""

DEMONSTRATIONS = (_BAKERY, _TANGENT, _DICE, _REMAINDERS)

_GO_ON = "Continue this solution exactly where it stops: write only its next part, to the mark that ends it."
_BEGIN = "Write only the first part of the solution, to the mark that ends it."
_PLAIN = "Repeat nothing, and use no Markdown fences."


def draw_demonstrations(problem: Problem, shots: int = 2) -> list[str]:
    """`shots` different demonstrations, which depend on the problem's id only."""
    return random.Random(problem.id).sample(DEMONSTRATIONS, shots)


def completion_prompt(problem: Problem, response: str, shots: int = 2) -> str:
    """The text that a model continues with the next step of `response`."""
    parts = [INSTRUCTIONS]
    if shots:
        parts += ["Worked examples:", *draw_demonstrations(problem, shots)]
    return "\n\n".join([*parts, "Now solve this one.", f"Question: {problem.question}\n{response}"])


def chat_prompt(problem: Problem, response: str, shots: int = 2) -> str:
    """The message that asks a chat model for the next step of `response`."""
    return f"{completion_prompt(problem, response, shots)}\n\n{_GO_ON if response else _BEGIN} {_PLAIN}"
