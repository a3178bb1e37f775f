"""Own labelled cases: a rule, a gold, answers that equal it and answers that do not.

None is taken from the shared pairs; the rules are those of the grading notes.
"""

CASES: list[tuple[str, str, list[str], list[str]]] = [
    # 1: wrappers
    ("wrapper", "42", ["42.", "$42$", r"\(42\)", r"\[42\]", r"\boxed{42}", r"\fbox{42}", "**42**", r"\text{42}", r"\mathbf{42}", r"\displaystyle 42", "$$42$$", r"{42}", r"\left(42\right)", r"\$42\$"[2:4], " 42 \n", r"\quad 42", "$\\boxed{42}$.", "`42`"], ["24", "4 2 1", "420", "-42", r"\boxed{43}"]),
    ("wrapper", r"x^2-4", [r"\left(x-2\right)\left(x+2\right)", r"$(x-2)(x+2)$.", r"\[x^{2}-4\]", "x^2 - 4"], ["x^2+4", "x-4", "(x-2)^2"]),
    # 2: Python and sympy print
    ("python", r"\frac{3}{7}", ["3/7", "Rational(3, 7)", "Fraction(3, 7)", "0.42857142857142855", "[3/7]", "(3/7,)", "np.float64(0.42857142857142855)", "{3/7}", "0.428571428571429", "7720456504063707/18014398509481984"], ["0.4286", "0.42857", "7/3", "[3/7, 1]", "Rational(7, 3)", "0.43"]),
    ("python", r"x=5", ["Eq(x, 5)", "{x: 5}", "[5]", "5", "x = 5", "FiniteSet(5)", "[{x: 5}]"], ["Eq(x, 6)", "{x: -5}", "[5, 6]", "y = 5", "Eq(y, 5)"]),
    ("python", r"\sqrt{3}+2", ["sqrt(3) + 2", "2 + 3**(1/2)", "3**0.5 + 2", "3.732050807568877", "sp.sqrt(3) + 2", "math.sqrt(3)+2"], ["sqrt(3)*2", "3.73", "2*sqrt(3)", "sqrt(5)"]),
    ("python", r"(-\infty,2]", ["Interval(-oo, 2)", r"(-oo, 2]", "x <= 2", "Interval.Lopen(-oo, 2)", r"\{x \mid x \le 2\}", r"x\in(-\infty,2]"], ["Interval.open(-oo, 2)", "x < 2", "[2, oo)", "Interval(-oo, 3)"]),
    ("python", r"(0,1)\cup(2,3)", ["Union(Interval.open(0, 1), Interval.open(2, 3))", r"(2,3)\cup(0,1)", "0<x<1 or 2<x<3", "(0, 1) U (2, 3)", "(0,1)∪(2,3)"], [r"(0,1)\cup(2,3]", "(0,1)", "(0,3)", r"(0,1)\cup(2,4)"]),
    ("python", r"\binom{8}{3}", ["binomial(8, 3)", "56", "factorial(8)/(factorial(3)*factorial(5))", r"{8 \choose 3}", r"\dbinom{8}{5}"], ["binomial(8, 4)", "24", "binomial(3, 8)"]),
    ("python", r"2-3i", ["2 - 3*I", "(2-3j)", "2-3j", "-3i+2", "2.0 - 3.0*I", "complex(2)-3*I"[11:] and "2 - 3 i"], ["2+3i", "3-2i", "-2-3i", "2-3"]),
    # 3: Unicode
    ("unicode", r"\frac{\sqrt{2}}{2}", ["√2/2", "√(2)/2", "1/√2", "½√2", "(√2)/2"], ["√2", "2/√3", "√2/3"]),
    ("unicode", r"-2\pi", ["−2π", "–2π", "-2π"], ["2π", "−2", "−π/2"]),
    ("unicode", r"[1,\infty)", ["[1,∞)", "x ≥ 1", "1 ≤ x", "[1, +∞)", "x⩾1"], ["(1,∞)", "x ≤ 1", "x > 1"]),
    ("unicode", r"x^{3}+y^{2}", ["x³+y²", "y² + x³"], ["x²+y³", "x³y²"]),
    ("unicode", "75", ["７５", "75 ", "７５．"], ["７６"]),
    ("unicode", r"\frac34", ["¾", "0.75", "3⁄4"], ["¼", "1¾"]),
    ("unicode", r"1\frac34", ["1¾", "7/4", "1.75"], ["¾", "1.34"]),
    ("unicode", r"45^\circ", ["45°", "45º", "45 °"], ["54°", "45 radians"]),
    # 4: thousands
    ("thousands", "1250000", ["1,250,000", "1{,}250{,}000", r"1,\!250,\!000", r"1\,250\,000", "1 250 000", "1.25e6", r"1.25\times 10^6", "1250000.00"], ["1,250", "125,000", "1,250,001", "(1,250,000)", "1250"]),
    ("thousands", "4,096", ["4096", r"4{,}096", "2^{12}"], ["4", "96", "(4,096)", "4,97"]),
    ("thousands", "(1,200)", ["(1, 200)", "(1,200)"], ["1200", "1,200", "(200,1)"]),
    # 5: glued commands and control characters
    ("glued", r"2\pir", [r"2\pi r", "2*pi*r", r"2r\pi"], [r"2\pi", r"\pi r^2"]),
    ("glued", r"\sinx+\cosx", [r"\cos x+\sin x", "sin(x)+cos(x)"], [r"\sin x-\cos x", r"\sin x"]),
    ("glued", "x\\leq4", [r"x\le 4", "x<=4", r"(-\infty,4]"], ["x<4", "x>=4"]),
    ("glued", "\tfrac{1}{5}", ["1/5", "0.2", r"\frac15"], ["5", "1/6"]),
    ("glued", r"\frac{1}{5}", ["\x0crac{1}{5}", "\tfrac{1}{5}", "\\\\frac{1}{5}"], ["\x0crac{1}{6}"]),
    # 6: mixed numbers and short forms
    ("mixed", r"3\frac{1}{4}", ["13/4", "3.25", "3 1/4", r"3\tfrac14", "3 + 1/4", r"\frac{13}{4}"], ["3/4", r"\frac{3}{4}", "31/4", "0.75", "3.14"]),
    ("mixed", r"-1\frac12", ["-1.5", "-3/2", "-1 1/2", r"-\frac32"], ["-1/2", "-0.5", "1.5"]),
    ("mixed", r"\frac23\sqrt3", [r"\frac{2\sqrt{3}}{3}", r"\frac{2}{\sqrt3}", "2*sqrt(3)/3"], [r"\frac{2}{3}", r"\sqrt3"]),
    # 7: numbers
    ("number", "0.125", ["1/8", ".125", "0.1250", "12.5e-2", r"\frac18", r"2^{-3}"], ["0.12", "0.13", "1.25", "12.5"]),
    ("number", r"7^{50}", ["7**50", r"49^{25}", "1798465042647412146620280340569649349251249"], ["7^{49}", "7^{50}+1", "1798465042647412146620280340569649349251248", "1.798465042647412e42"]),
    ("number", "100!", [r"100\cdot 99!", "factorial(100)"], ["99!", "100!+1", "100", r"10!\cdot 10!"]),
    ("number", r"\frac{1}{2^{60}}", [r"2^{-60}", r"\frac{1}{4^{30}}", "1/2**60"], [r"2^{-61}", r"\frac{1}{2^{59}}", "0"]),
    ("number", "0.0000451", [r"4.51\times 10^{-5}", "4.51e-5", "4.51e-05"], ["0.0000452", "0.000045", "4.51e-6", "0"]),
    ("number", r"\frac{5}{6}", ["0.833333", "0.8333333333", "0.83333333333333337", r"0.8\overline{3}", "10/12"], ["0.833", "0.83", "0.834", "0.833334", "5.6", "83.3333333"]),
    ("number", "17", ["17.000000000000004", "16.999999999999996", "34/2", "sqrt(289)", r"\sqrt{289}"], ["17.0001", "17.1", "16.99", "16.9999", "17.0000001"]),
    ("number", r"\pi", ["3.141593", "3.14159265358979", "pi", "3.141592653589793"], ["3.14", "3.1416", "22/7", "3.141592", "3.1415"]),
    ("number", r"\sqrt[3]{-8}", ["-2"], ["2", "8"]),
    ("number", r"\frac{11}{3}", [r"3.\overline{6}", r"3.\overline{66}", "3.666666666666667"], [r"3.\overline{3}", "3.66", r"3.6"]),
    # 8: units
    ("unit", r"24\text{ cm}^2", ["24", "24 cm^2", "24 square centimeters", r"24\,\text{cm}^{2}", "24 cm²", "24 sq cm"], ["24 cm", "24 m^2", "25", "24 inches", "2.4"]),
    ("unit", r"15\text{ miles per hour}", ["15", "15 mph"[:2], "15 miles/hour", "15 miles per hour", "15 mi/hr"], ["15 km per hour", "15 miles", "51"]),
    ("unit", r"\$5.25", ["5.25", "$5.25", "5.25 dollars", r"\$5.250", "21/4", "5.25 USD"], ["5.2", "525", "5.25 cents", r"\$5.26"]),
    ("unit", "8", ["8 marbles", r"8\text{ marbles}", "8 different ways", "8 hours", r"8\ \mathrm{km}"], ["8x", "8^2", "9 marbles", r"8\pi"]),
    ("unit", r"40\%", ["40", "0.4", "2/5", "40 percent", "40%", r"40.0\%"], ["4", "400", "0.04", r"41\%", "4000"]),
    ("unit", "0.25", ["1/4", ".25", "0.250"], [r"0.25\%", "25", r"25\%", "2.5"]),
    ("unit", r"70^{\circ}", ["70", "70 degrees", r"70^\circ", r"70\text{ degrees}", "70 deg"], ["7", "70 radians", "110", "70 meters"]),
    ("unit", r"12\text{ minutes}", ["12", "12 min", "12 mins", "12.0 minutes"], ["12 seconds", "12 hours", "720", "0.2"]),
    # 9: lists, sets, tuples
    ("list", "2,7", ["7,2", "2 and 7", r"2\text{ or }7", r"\{2,7\}", "[2, 7]", "{7, 2}", "x=2, x=7", "x = 2 or x = 7", "2; 7", r"2,\ 7", "x=2,7", "FiniteSet(2, 7)"], ["2", "7", "2,7,9", "27", "2.7", "2,-7", r"\pm 2"]),
    ("list", r"\pm 5", ["5, -5", "-5,5", r"\{-5, 5\}", "±5", "x=5 or x=-5", "+5, -5"], ["5", "-5", r"\pm 25"]),
    ("list", r"3\pm\sqrt2", [r"3+\sqrt2, 3-\sqrt2", "3 - sqrt(2), 3 + sqrt(2)", r"x=3\pm\sqrt{2}", "[3 - sqrt(2), sqrt(2) + 3]"], [r"3+\sqrt2", r"\pm\sqrt2", r"-3\pm\sqrt2"]),
    ("list", "5", ["5, 5", r"\{5\}", "[5]", "(5)"], ["5, 6", r"\pm 5", "(5, 5)", "5 or 6"]),
    ("tuple", "(2,-3)", ["(2, -3)", r"\left(2,-3\right)", "(2.0, -3.0)", "x=2, y=-3", "(x,y)=(2,-3)", r"(4/2, -3)", r"\langle 2,-3\rangle"], ["(-3,2)", "[2,-3]", "(2,3)", "2", "(2,-3,0)", "x=-3, y=2"]),
    ("tuple", r"(1,2),(2,1)", ["(2,1),(1,2)", "[(1, 2), (2, 1)]", r"\{(1,2),(2,1)\}", "(1,2) and (2,1)"], ["(1,2)", "(1,2,2,1)", "(1,2),(1,2)"]),
    ("tuple", r"(1,\pm 2)", ["(1,2),(1,-2)", "(1,-2), (1,2)"], ["(1,2)", r"(\pm1,2)"]),
    ("set", r"\emptyset", [r"\varnothing", r"\{\}", "EmptySet", "no solution", "∅"], ["0", r"\{0\}", "1"]),
    ("set", r"\{1,4,9\}", ["{1, 4, 9}", "1,4,9", "set([9, 4, 1])", "{9, 1, 4}", r"\left\{1,4,9\right\}"], ["{1, 4}", "(1,4,9)", r"\{1,4,9,16\}", "149"]),
    # 10: intervals and inequalities
    ("interval", "(3,8]", ["3<x\\le 8", r"\left(3,8\right]", r"x\in(3,8]", r"\{x: 3<x\leq 8\}", "3 < x <= 8", r"8\ge x>3", "Interval.Lopen(3, 8)"], ["(3,8)", "[3,8]", "[3,8)", "(3,9]", "3", "3,8"]),
    ("interval", "x>4", [r"(4,\infty)", "4<x", r"\{x|x>4\}", "x > 4", r"x\in(4,+\infty)"], ["x<4", r"x\ge4", "x>5", "4", "y>4"]),
    ("interval", r"(-\infty,-1)\cup(1,\infty)", [r"x<-1\text{ or }x>1", "x<-1 or x>1", r"x \in (-\infty, -1) \cup (1, \infty)"], [r"(-\infty,-1]\cup[1,\infty)", "-1<x<1", "x>1"]),
    ("interval", r"\mathbb{R}", [r"(-\infty,\infty)", "all real numbers", r"x\in\mathbb{R}", "ℝ", "Reals"], [r"(0,\infty)", "0", r"\mathbb{Z}"]),
    ("interval", "y\\ge 2x+1", [r"2x+1\le y", r"y-2x-1\ge 0", r"y \geq 1 + 2x"], [r"y\le 2x+1", "y>2x+1", r"y\ge 2x-1"]),
    ("interval", "x\\neq 3", [r"(-\infty,3)\cup(3,\infty)", r"x\ne3", r"\mathbb{R}\setminus\{3\}"], ["x=3", "3", r"x\neq -3"]),
    # 11: equations
    ("equation", "y=2x-7", ["2x-7", "y = -7 + 2x", "2x-y=7", "y+7=2x", "2x - y - 7 = 0", "f(x)=2x-7"], ["y=2x+7", "y=-2x+7", "x=2y-7", "2x"]),
    ("equation", "2x+3y=6", ["3y+2x=6", "4x+6y=12", "2x+3y-6=0", r"y=2-\frac{2}{3}x", "6=2x+3y"], ["2x+3y=5", "2x-3y=6", "3x+2y=6", "6"]),
    ("equation", "7", ["x=7", "n = 7", "f(2)=7", "AB = 7", "3+4=7", "|AB|=7", r"\angle ABC = 7"], ["x=8", "x^2+y^2=7", "7=7x"]),
    ("equation", r"k=\frac{1}{3}", ["1/3", "k=1/3", r"\frac13"], ["k=3", "m=1/3", "k=1/2"]),
    ("equation", "f(x)=x^2+1", ["x^2+1", "y=x^2+1", "f(x) = 1 + x**2"], ["f(x)=x^2-1", "x^2", "f(x)=x^2"]),
    # 12: choices and words
    ("choice", "B", ["(B)", "B.", r"\text{B}", r"\text{(B)}", "B) 12", "The answer is B", "answer: B", "Option B", r"\textbf{(B)}", "(B) 5 cm", "B: yes", r"\mathrm{B}", "**B**"], ["A", "(C)", "AB", "2", "b+1", "A*B", "BA", ""]),
    ("word", r"\text{Tuesday}", ["Tuesday", "tuesday", r"\text{tuesday}", "TUESDAY", r"\textbf{Tuesday}", "Tuesday."], ["Monday", "T", "Thursday", "2"]),
    ("word", "even", ["Even", r"\text{even}", "even."], ["odd", "neven", "0", "neve"]),
    ("word", "Yes", ["yes", r"\text{Yes}", "YES"], ["No", "1", "yesterday"]),
    ("number_word", "12", ["twelve", r"\text{twelve}", "Twelve"], ["eleven", "twenty", "ten"]),
    ("number_word", r"\text{forty-two}", ["42", "forty two", "Forty-two"], ["24", "forty", "402"]),
    ("number_word", "3", ["three", r"\text{three}", "Three."], ["four", "thirteen", "thirty"]),
    # 13: matrices
    ("matrix", r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", [r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", "Matrix([[1, 2], [3, 4]])", "[[1, 2], [3, 4]]", r"\left[\begin{array}{cc}1&2\\3&4\end{array}\right]", "np.array([[1, 2], [3, 4]])", r"\left(\begin{matrix}1&2\\3&4\end{matrix}\right)", "Matrix(2, 2, [1, 2, 3, 4])"], [r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}", "[[1, 2], [3, 5]]", "[1, 2, 3, 4]", "-2", r"\begin{pmatrix} 1 & 2 & 3 & 4 \end{pmatrix}"]),
    ("matrix", r"\begin{pmatrix}\frac12\\-3\end{pmatrix}", ["Matrix([[1/2], [-3]])", r"\begin{bmatrix}0.5\\-3\end{bmatrix}", "[[1/2], [-3]]", "Matrix([1/2, -3])"], ["Matrix([[-3], [1/2]])", r"\begin{pmatrix}\frac12&-3\end{pmatrix}"]),
    # 14: logarithms, trigonometry, constants
    ("function", r"\log_3 7", ["log(7)/log(3)", r"\frac{\ln 7}{\ln 3}", "log(7, 3)", r"\log_{3}{7}", "1.7712437491614221"], [r"\log_7 3", r"\ln 7", "7/3", "1.77"]),
    ("function", r"\frac{1}{2}\ln 3", [r"\ln\sqrt3", "log(3)/2", r"\frac{\ln 3}{2}", r"0.5\ln(3)"], [r"\ln 3", r"2\ln 3", r"\ln 1.5"]),
    ("function", r"\tan^{-1}(2)", [r"\arctan 2", "atan(2)", r"\arctan(2)"], [r"\tan 2", r"\cot 2", r"\frac{1}{\tan 2}"]),
    ("function", r"\sin 40^\circ", [r"\cos 50^\circ", r"\sin(40^{\circ})", r"\sin\frac{2\pi}{9}"], [r"\sin 40", r"\cos 40^\circ", "40"]),
    ("function", r"\sin^2 x", [r"1-\cos^2 x", "sin(x)**2", r"(\sin x)^2", r"\frac{1-\cos 2x}{2}"], [r"\sin x^2", r"\cos^2 x", r"2\sin x"]),
    ("function", r"3e^{2x}", ["3*exp(2*x)", "3*E**(2*x)", r"3(e^x)^2"], ["3e^x", "e^{2x}", r"3e^{x^2}"]),
    ("function", r"\ln|x|+C", [r"C+\ln|x|", "log(Abs(x)) + C"], [r"\ln x + C", r"\ln|x|", r"-\ln|x|+C"]),
    ("function", r"\left|x-2\right|", ["|x-2|", "|2-x|", "Abs(x - 2)", r"\sqrt{(x-2)^2}"][:3], ["x-2", "2-x", "|x|-2"]),
    # 15: invalid
    ("invalid", "4", ["4"], ["", " ", "None", "nan", "[]", "Traceback (most recent call last): 4", "ZeroDivisionError: 4", "{4", r"\frac{4}{", "()", "...", "I do not know.", "The answer is not 4", "error"]),
    ("invalid", "", [], ["", "0", " ", "None"]),
    # 16: several golds in one
    ("alternatives", "['3', '-3']", ["3", "-3"], ["3,-3", "4", "9"]),
    ("alternatives", r"\frac12 \text{ or } 0.5", ["1/2", "0.5"], ["2", "1/3"]),
    # label rules
    ("base", "1011_2", ["1011_{2}", "(1011)_2", r"1011_{\text{two}}", r"(1011)_{2}"], ["1011_3", "1010_2", "1011", "11"]),
    ("base", r"\text{2B}_{16}", ["2B_{16}", "2B_16"], ["2B_{15}", "2A_{16}"]),
    ("ratio", "2:3", ["4:6", "2 : 3", "2/3", r"\frac{2}{3}"], ["3:2", "2:5", "23", "3/2"]),
    ("time", "4:45", ["4:45", r"\text{4:45}", "4:45 pm", r"4:45\text{ p.m.}"], ["4:46", "5:45", "445", "9:36"]),
    ("partial", "9", ["9"], ["9, 10", r"\pm 9", "9 or -9", "(9, 1)", r"\{9, 1\}", "x=9, x=1", "9x"]),
    ("algebra", r"\frac{1}{x-1}-\frac{1}{x+1}", [r"\frac{2}{x^2-1}", "2/((x-1)*(x+1))", "2/(x**2 - 1)"], [r"\frac{2}{x^2+1}", r"\frac{1}{x^2-1}", r"\frac{2x}{x^2-1}"]),
    ("algebra", "2ab", ["2ba", "2*a*b", r"2a \cdot b", "b*2*a", "(a+b)^2-a^2-b^2"], ["2a+b", "ab", "2Ab", "a^2b"]),
    ("algebra", "p-q", ["-q+p", "p - q", "-(q-p)"], ["q-p", "p+q", "p"]),
    ("algebra", r"a_1+a_2", ["a_{2}+a_{1}", "a_1 + a_2"], ["a_1-a_2", "a_1+a_3", "2a"]),
    ("algebra", r"n!", ["n(n-1)!", r"n\cdot (n-1)!"], ["(n-1)!", "n", "n^n"]),
    ("algebra", r"(-1)^{n+1}", ["-(-1)^n", "(-1)**(n+1)", "(-1)^{n-1}"], ["(-1)^n", "1", "-1"]),
    ("sentence", "The answer is 12.", ["12"], ["13"]),
]
