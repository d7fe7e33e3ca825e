package expr

// verdicts are pairs of answers that are the same (=) or not (≠), by what they are.
var verdicts = map[string]string{
	"integers": `
\mathbf{\frac{6}{2}} = 3
1 + √2006 = \sqrt{2006} + 1
√15 = \sqrt{15}
√15 ≠ 5\sqrt{1}
{5 \choose 2} = 10
007 = 7
+7 = 7
1,234 = 1234
1{,}000 = 1000
1\,000 = 1000
12 345 678 = 12345678
33,\!800,\!000 = 33800000
300, \!000 = 300000
1,23 ≠ 123
(12,345) ≠ 12345
(12,345) = (12, 345)
2^{100} ≠ 2^{100}+1
10^{20} ≠ 10^{20}+1
2^{100} = 1267650600228229401496703205376
5! = 120
\binom{5}{2} = 10
\lfloor 3.5 \rfloor = 3
\left\lceil 3.2 \right\rceil = 4
|-5| = 5
7 \bmod 4 = 3
12. = 12
**12** = 12
\boxed{12} = 12
$12$ = 12
\(12\) = 12
\text{13} = 13
\text{The answer is } 13 ≠ 12
5 6 ≠ 56
5 6 ≠ 30
-0 = 0`,
	"fractions": `
{26 \over 27} = \frac{26}{27}
1 + {1 \over {1 \over 2}} = 3
{1 \over 2} ≠ 2
\mathbf{\frac{193}{512}} = \frac{193}{512}
\mathbf{\frac{193}{512}} ≠ \frac{19}{3512}
\frac{1}{2} = 1/2
\frac12 = \dfrac{1}{2}
\frac1{2} = 0.5
\frac 1 2 = 0.5
\frac{98}5 = 19.6
3\frac{1}{2} = 7/2
3 \frac12 = 7/2
3 1/2 = 7/2
-3\frac{1}{2} = -\frac{7}{2}
2\frac{x}{3} = \frac{2x}{3}
½ = 0.5
-\frac{2}{3} = \frac{2}{-3}
\frac{-2}{3} = -2/3
2(3) = 6
3:4 = 6:8
3:4 ≠ 4:3
1:2:3 = 2:4:6
1:2:3 ≠ 2:4:5
0.\overline{3} = 1/3
0.1\overline{6} = 1/6
1/0 ≠ 2/0`,
	"decimals": `
0.333333 = \frac{1}{3}
0.33333 ≠ \frac{1}{3}
0.33 ≠ \frac13
.5 = 0.5
1.50 = 1.5
\sqrt{2} = 1.414214
2\pi = 6.283185
2\pi ≠ 6.283
0.0000004 ≠ 0.0000001
0.000992 ≠ 0.000994
1.5e3 = 1500
1e-3 = 10^{-3}
1e-8 = 10^{-8}
1.5 \times 10^3 = 1500
1.5 \cdot 10^{-3} = 0.0015
2.5 × 10^4 = 25000
\frac{1}{2^{99}} ≠ \frac{1}{2^{98}}
\frac{1}{100!} ≠ \frac{1}{101!}
10\% = 0.1
10\% = \frac{1}{10}
10\% ≠ 10
10\% = 10 \text{ percent}
10\% = 10 percent
12.5\% = 1/8
\cos 60^\circ = 0.5
e^{\pi\sqrt{163}} ≠ 262537412640768744
\pi + 10^{-200} ≠ \pi`,
	"units": `
20 square units = 20 \text{ square units}
20 sq cm = 20 \text{ cm}^2
20 square cm ≠ 20 \text{ cm}^3
20 cubic feet ≠ 20 \text{ square feet}
12 cm = 12
12 \text{ cm}^2 = 12
12\mathrm{~m} = 12
10 \text{ cm} ≠ 10 \text{ m}
10 \text{ cm} = 0.1 \text{ m}
1 \text{ hour} = 60 minutes
80 \pi \mathrm{mi}/\mathrm{min} = 80\pi
10 \text{ m/s} = 10
36 \text{ km/h} = 10 \text{ m/s}
5 \text{ square units} = 5
626 dollars = 626
\$5.50 = 5.5
4t ≠ 4
2t ≠ 2s
x^{2}t ≠ x^2
x+t = t+x
x^2 + c = c + x^2
ab+bc = b c + a b
15 = 15 m
90^\circ = 90
90^\circ = \frac{\pi}{2}
90^\circ ≠ 91
100^\circ C = 100
28.71^{\circ} = 28.71
30 degrees = 30^\circ
\sin 30^\circ = 0.5
\sin 30^\circ = \frac12
5 \text{ apples} = 5
10 \text{ million} = 10^7
3.5 million dollars = 3500000
10 million ≠ 10
12 \text{ times} = 12
12 \text{ times more} ≠ 12
12 \text{ remainder } 3 ≠ 12
12 \text{ squared} ≠ 12
12 \text{ halves} ≠ 12
12 \text{ or more} ≠ 12`,
	"bases": `
1010_{\text{base }2} = 1010_2
1010_{\text{base 2}} = 10
(1010)_{2} = 1010_2
(1010)_2 ≠ 1010_3
1010_{\text{base }3} ≠ 1010_2
1010_2 = 1010_{2}
1010_2 = 10
1010_2 = 1010
1010 ≠ 1010_2
1010_2 ≠ 1011
52_8 ≠ 52_9`,
	"surds": `
\sqrt{8} = 2\sqrt2
\frac{12}{\sqrt{2}} = 6\sqrt{2}
\sqrt{2}+\sqrt{3} = \sqrt{5+2\sqrt{6}}
\frac{1}{\sqrt3+\sqrt2} = \sqrt{3}-\sqrt{2}
\sqrt2\sqrt3 = \sqrt6
2\sqrt3 ≠ 2\sqrt[3]3
\sqrt[3]{8} = 2
\sqrt[3]{-8} = -2
4 ≠ 4\sqrt{2}
\sqrt{-4} = 2i
\sqrt{-1} = i
3+4i = 4i+3
3+4i = 3+4 i
(1+i)^2 = 2i
\frac{1}{i} = -i
1+3i ≠ 1-3i
\log_2 8 = 3
\ln e = 1
\log 100 = 2
\ln 100 ≠ 2
e^{i\pi} = -1
\sin\frac{\pi}{3} = \frac{\sqrt3}{2}
\cos(\pi/5) = \frac{1+\sqrt5}{4}
\tan^{-1} 1 = \pi/4
\sqrt[4]{4} = \sqrt2
2^{1/2} = \sqrt2
\sqrt{1000000007}\sqrt{1000000007} = 1000000007
\sum_{k=1}^{10} k = 55
\prod_{i=1}^{5} i = 120
9 - 4 \sqrt{5} = (2-\sqrt5)^2
\frac{3 \pi \sqrt{5}}{2} = 1.5\pi\sqrt5`,
	"algebra": `
- 3 \left(x - 1\right) = 3 - 3x ⇔ 3 - 3 x
(x-1)(x+1) = x^2-1 ⇔ x^2 - 1
1 ≠ \frac{|x|}{x}
n \equiv 3 \pmod 7 = n\equiv 3\pmod{7}
(x+1)^2 = x^2+2x+1
\frac{x^2-1}{x-1} = x+1
\sin^2 x+\cos^2 x = 1
\binom{n}{2} = \frac{n(n-1)}{2}
n! = n(n-1)!
\sqrt{x^2} ≠ x
\sqrt{x^2} = |x|
\sqrt{1/n} = \frac{1}{\sqrt{n}}
x+1 ≠ y+1
\frac{\pi}{4}+k\pi ≠ \frac{\pi}{4}+n\pi
ab = ba
ab = a \cdot b
a/bc = a/(bc)
C + x = x + c
\log x ≠ \ln x
\ln|x| ≠ \ln x
\ln(xy) = \ln x + \ln y
\log_3\left(\frac{x}{y^{2}}\right) = \log_3 x - 2\log_3 y
e^{2x} = (e^x)^2
\sin 2x = 2\sin x\cos x
x^{1/2} = \sqrt{x}
x_1+x_2 = x_2+x_1
x_1 ≠ x_2
x_{1} = x_1
\frac{x}{y} ≠ \frac{y}{x}
x^{2019}-1 = -(1-x^{2019})
\vec{a} ≠ a
\lfloor x \rfloor ≠ x
\left\lfloor\log _{2} n\right\rfloor+1 = 1 + \lfloor\log_2 n\rfloor
x \text{ is even} ≠ x`,
	"equations": `
x=5 = 5
5 = x=5
x=5 ≠ y=5
5 = x = 5
f(x)=2x+1 = 2x+1
y=2x+1 = 2y=4x+2
y=2x+1 = y-2x=1
y = 2x+1 ≠ y = 2x+2
x^2+y^2=4 = \frac{x^2}{4}+\frac{y^2}{4}=1
x+2=5 = x=3
5x=10 = x=2
x^2+50=0 ≠ x^2+50=0+1
3 ≠ x+y=3
a = 3+9 = 12 ⇔ 12
a = 3+9 = 12 ⇔ a = 12
x=1, x=2 = x=1,2
x=1, x=2 = 1,2
x = \pm 8 = 8, -8
\pm 8 = x = x = \pm 8
x=1,y=2 = y=2,x=1
x=1,y=2 = (1,2)
(x,y)=(1,2) = (1,2)
(x,y)=(1,2) = x=1, y=2
I=e^{-20 t} = e^{-20t}
x \in [1,2] = [1,2]
x \approx 4.177 = 4.177
\log \left(\sqrt[3]{10^{5}}\right)=\frac{5}{3} = \frac53
\approx 8.24 \text{ mph} = 8.24
y^{\prime}+ry-rx(t)=0 ⇔ y'+ry=rx(t)
x(y+1) = 3 ≠ 3
f(x+1) = 3 ⇔ 3
x e^y = 1 = 2xe^y = 2`,
	"inequalities": `
x>3 = 3<x
x>3 ≠ x \ge 3
x>3 ≠ x<3
2x>6 = x>3
-x < 3 = x > -3
0<x<1 = 1>x>0
0\le x\le 1 = [0,1]
[0,1] = 0\le x\le 1
(0,1) = 0<x<1
x\ne 3 = (-\infty,3)\cup(3,\infty)
x<1 \text{ or } x>2 = (-\infty,1)\cup(2,\infty)
x>1 \text{ and } x<2 = (1,2)
x>3 ≠ y>3
|x|<3 = (-3,3)
x^2<4 = -2<x<2
x+y>2 = 2<y+x
2x+2y>4 = x+y>2
x+y>2 ≠ x+y<2
\{x | x>1\} = (1,\infty)
\{x \in \mathbb{R} : x>1\} = x>1
-3 < x < -1 ≠ -3 < x \le -1
x \geq 18 = [18, \infty)`,
	"sets": `
2, 16 ⇔ x=2 \vee x=16
1, 3 ⇔ x=1 \lor x=3
3 \& 2 \& 1 = 1, 2, 3
p \wedge q ≠ p \vee q
(-\infty,-2)\cup(2,\infty) = x \in (-\infty,-2) \text{ or } x \in (2,\infty)
x \in (1,2) \text{ or } x \in (3,4) ≠ (1,2)
1,2 = 2,1
1,2 = \{1,2\}
\{1,2\} = \{2,1\}
1,2 = 1 and 2
1, 2, and 3 = 3,2,1
1,2,3 ≠ 1,2
\pm 3 ≠ 3
\pm 3 = -3, 3
1\pm\sqrt2 = 1-\sqrt2, 1+\sqrt2
\{5\} = 5
\emptyset = \{\}
(1,2) ≠ (2,1)
(1,2) = 1,2
(1,2) ≠ 2,1
(1,2,3) = 1,2,3
(1,2) ≠ \{1,2\}
(1,2) ≠ [1,2]
[1,2) ≠ [1,2]
[1,2) ≠ [1,3)
(-\infty,\infty) = \mathbb{R}
\mathbb{R}\setminus\{3\} = (-\infty,3)\cup(3,\infty)
(0,2)\cap(1,3) = (1,2)
(1,2)\cup(3,4) = (3,4)\cup(1,2)
(1,2)\cup[2,4) = (1,4)
(1,2)\cup(2,4) ≠ (1,4)
(-∞,1)U(2,∞) = (2,\infty)\cup(-\infty,1)
\mathbb{R} - \{2\} = \mathbb R\setminus\{2\}
\langle 1,2,3\rangle = (1,2,3)
7 \mathrm{q}, 4 \mathrm{~h} = \{4 h, 7 q\}
7 \mathrm{q}, 4 \mathrm{~h} ≠ 7 \mathrm{q}
(-1,-9),(4+2 \sqrt{2}, 8) = (4+2 \sqrt{2}, 8) and (-1,-9)
.343,.441, .189, .027. ⇔ x = .343, .441, .189, .027.`,
	"matrices": `
\begin{pmatrix}1 & 2 \cr 3 & 4\end{pmatrix} = \begin{pmatrix}1&2\\3&4\end{pmatrix}
\begin{pmatrix}-3 \\[6pt] 4\end{pmatrix} = \begin{pmatrix}-3\\4\end{pmatrix}
\begin{pmatrix}-3 \\[6pt] 4\end{pmatrix} ≠ \begin{pmatrix}-3\\24\end{pmatrix}
\begin{pmatrix}1&2\\3&4\end{pmatrix} = \begin{bmatrix}1&2\\3&4\end{bmatrix}
\begin{pmatrix}1&2\\3&4\end{pmatrix} = \left[\begin{array}{cc}1&2\\3&4\end{array}\right]
\begin{pmatrix}1&2\\3&4\end{pmatrix} ≠ \begin{pmatrix}1&3\\2&4\end{pmatrix}
\begin{pmatrix}1\\2\end{pmatrix} ≠ \begin{pmatrix}1&2\end{pmatrix}
\begin{vmatrix}1&2\\3&4\end{vmatrix} = -2
2\begin{pmatrix}1\\2\end{pmatrix} = \begin{pmatrix}2\\4\end{pmatrix}
\begin{pmatrix}\frac12\\2\\\end{pmatrix} = \begin{pmatrix}0.5\\2\end{pmatrix}`,
	"times": `
05:00 = 5:00
8\!:\!34 \text{ p.m.} = 8:34 PM
12:30 ≠ 12:30 \text{ PM}
12:30 ≠ 2:05
6:20 ≠ 3:10`,
	"text": `
\text{Odd} = odd
\text{red ball} ≠ \text{red}
(A) = A
\text{(A)} = a
\textbf{(B)} = B
A ≠ B
All real numbers = \text{all real numbers}
All real numbers = (-\infty,\infty)
no solution = \emptyset
May = \text{May}
\text{DNE} = \text{does not exist}
\text{A,B,C,D} = A, B, C, D
\text{(B)} 5 = B
\textbf{(B)}\ 12 = 12
(B) 12 = b
B. 12 ≠ C
B) 12 ≠ 13
Navin ≠ \text{Brazil}
converges absolutely = \text{converges absolutely}
x^2 ≠ \text{parabola}`,
}
