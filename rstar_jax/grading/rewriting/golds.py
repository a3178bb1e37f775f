r"""Gold answers of every kind that the rules read, made up for this project, in the notation of the benchmarks."""

from __future__ import annotations

GOLDS: tuple[str, ...] = (
    # int, bigint, thousands, word_number
    "0", "7", "-3", "12", "42", "-58", "96", "144", "365", "1024", "-2750", "31415", "271,828", "123456", "-654321",
    "1,048,576", r"7,\!654,\!321", "3{,}600{,}000", "45000000", "12345678901234567890",
    # decimal, tiny, tolerance_trap
    "0.5", "-0.75", "2.25", "3.14", "0.125", "12.375", ".2", "1234.5678", "0.0000451", "0.00000000012", "99.99",
    # frac
    r"\frac{3}{7}", r"-\frac{5}{6}", r"\frac{22}{7}", r"\dfrac{9}{16}", r"\tfrac{1}{12}", r"\frac{2023}{2024}", "5/8",
    "-7/3", r"3\frac{1}{4}", r"2\frac23", r"\frac{1}{99991}", r"\frac{1}{1048576}", r"\frac{100}{3}",
    # root, pi, decimal_approx
    r"\sqrt{3}", r"5\sqrt{7}", r"-2\sqrt{11}", r"\frac{\sqrt{6}}{4}", r"\frac{5}{\sqrt{3}}", r"3+\sqrt{2}",
    r"\sqrt{15}-\sqrt{6}", r"\frac{7\sqrt{3}}{2}-\frac{1}{3}", r"12\sqrt{30}", r"6\pi", r"-\frac{3\pi}{8}",
    r"\frac{5}{4}\pi+2\sqrt{3}", r"4\pi^2", r"\pi", r"100\pi", r"\frac{\pi}{7}", r"2-\frac{\pi}{2}",
    # complex
    "2+5i", "-3-8i", "7i", "1-i", r"\frac{3}{2}+\frac{1}{2}i", r"1+i\sqrt{3}", "-12+9i",
    # algebra, power of a letter
    "3x^2-5x+8", "x^{2}+6x-16", "4a^2b", "-2xy+y^2", r"\frac{3}{4}t^{2}", "n+1", r"\frac{x}{2}-\frac{y}{3}", "x^{12}",
    "6m-15n", "2x^3-x", "-x^4+2x^2-1", r"\frac{5\pi r^2}{3}", "ab+bc", "y", "2k",
    # list, set
    "2,5", "-4, 9", "1, 3, 8", "x=-2,6", r"\frac{1}{2},-3", r"\sqrt{2},-\sqrt{2}", r"4\pm\sqrt{5}", r"\pm 6",
    r"x=\frac{3\pm\sqrt{7}}{2}", "12,34,56,78", "27,108,216", r"\{1,4,9\}", r"\left\{-1,\frac{2}{3}\right\}", r"\{6\}",
    r"\{a,b,2c\}", r"\{0,10,20,30,40\}",
    # tuple, tuple_list
    "(2,-7)", r"\left(\frac{3}{5},4\right)", "(1, 2, 3)", r"\left(0,\sqrt{5}\right)", r"(4,\frac{\pi}{3})", "(a,2b)",
    "(5,5)", "(0.5,-1.5)", "(1,4),(2,3)", "(0,0),(3,-3),(6,1)", r"(-1,\frac{1}{2}), (2,8)",
    # interval, inequality
    r"(3,\infty)", r"(-\infty,-5]", r"\left[\frac{1}{3},\infty\right)", "[2,9)", r"(-\sqrt{2},4]",
    r"(-\infty,1)\cup(6,\infty)", r"(-\infty,-3]\cup[0,5)", r"[-8,-2)\cup(-2,7]", r"x\in[0,12)", "x>8", r"y\le-2",
    r"3\leq x<11", r"-1<t\leqslant\frac{7}{2}", r"\{x|x\geq 4\}", r"\{ t \mid -6 < t < 0 \}", r"a\ge\sqrt{3}",
    # equation
    "x=9", r"k=-\frac{4}{5}", "n = 14", "y=4x-7", r"y=-\frac{1}{2}x+3", "f(x)=5x+1", "g(t)=t^2-9", "x^2+y^2=49",
    "3x+4y=24", "y^2=12x", r"\frac{x^2}{25}+\frac{y^2}{16}=1", r"s=16t^2", "2a-b=0",
    # matrix
    r"\begin{pmatrix} 2 & -1 \\ 0 & 5 \end{pmatrix}", r"\begin{bmatrix} 3 \\ 1/2 \end{bmatrix}",
    r"\begin{pmatrix} 1 & 2 & 3 \end{pmatrix}", r"\begin{pmatrix} a & b \\ \sqrt{2} & 4 \end{pmatrix}",
    # percent, degree, money, unit
    r"45\%", r"12.5\%", "8%", r"150\%", r"\frac{1}{4}\%", r"0.6\%", r"65^\circ", r"22.5^{\circ}", r"140^\circ", "110°",
    r"\$24", r"\$3.75", r"\$1{,}250", r"18\text{ cm}", r"2.5\text{ hours}", r"40\mbox{ m}^2", r"7\,\mathrm{kg}",
    r"64\text{ inches}", r"90\text{ minutes}", r"15~\text{ft}^3", r"36\text{ days}",
    # power, bigint, combinatorics, exp, log
    "2^{64}", "3^{2021}", "7^{12}-1", "10^{15}+3", "5^9", "12!", "2024!", r"\binom{9}{4}", r"\binom{200}{100}", "e^{3}",
    "e^{-2}", r"\ln 7", r"\ln(10)", r"\log_{3}{10}", r"\log_2 7",
    # choice, word, base, time
    "A", "D", "(C)", r"\text{(B)}", r"\text{E}", r"\text{hyperbolic}", r"\text{Thursday}", "triangle", r"\text{Amelia}",
    r"\text{right angle}", "2301_5", "110101_{2}", "777_8", "4:25", "11:08",
    # golds that no rule reads: dressing, predictions that equal nothing
    "", r"\text{If } n \text{ is even}", r"\sin^2\theta+\frac{1}{2}", r"\lfloor\frac{n}{3}\rfloor", r"(a+b)^2-(a-b)^2",
    r"x_1+x_2=x_3", r"\frac{n(n+1)(2n+1)}{6}", r"\left|x-3\right|",
)  # fmt: skip
