package expr

// looks are commands that change only how a formula looks.
var looks = set("displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "big", "Big", "bigg", "Bigg", "bigl", "bigr",
	"Bigl", "Bigr", "biggl", "biggr", "Biggl", "Biggr", "bigm", "middle", "quad", "qquad", "enspace", "thinspace", "space",
	"hfill", "rm", "bf", "it", "mathstrut", "strut", "allowbreak", "nobreak", "left.", "right.", "dots", "ldots", "cdots",
	"hline", "noindent", "dollar", "pounds", "euro", "mathsurround", "boldmath", "small", "large", "Large", "normalsize", "bm", "negthinspace")

// hidden are commands whose argument is not to be seen or is a length.
var hidden = set("phantom", "hphantom", "vphantom", "hspace", "vspace", "kern", "label", "tag", "color", "textcolor")

// aliases maps commands to the one that stands for all with their meaning; what does not start with a
// letter becomes punctuation.
var aliases = map[string]string{
	"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom",
	"cdot": "*", "times": "*", "ast": "*", "bullet": "*", "div": "÷",
	"le": "≤", "leq": "≤", "leqslant": "≤", "ge": "≥", "geq": "≥", "geqslant": "≥", "lt": "<", "gt": ">", "ne": "≠", "neq": "≠",
	"leqq": "≤", "geqq": "≥",
	"approx": "≈", "approxeq": "≈", "simeq": "≈", "thickapprox": "≈", "in": "∈", "equiv": "≡",
	"cup": "∪", "cap": "∩", "setminus": "∖", "smallsetminus": "∖", "backslash": "∖", "bigcup": "⋃", "bigcap": "⋂",
	"land": "∧", "wedge": "∧", "lor": "∨", "vee": "∨", "to": "→", "rightarrow": "→", "Rightarrow": "⇒", "implies": "⇒",
	"pm": "±", "mp": "∓", "lbrace": `\{`, "rbrace": `\}`, "lbrack": "[", "rbrack": "]",
	"vert": "|", "lvert": "|(", "rvert": "|)", "Vert": "‖", "lVert": "‖", "rVert": "‖", "mid": "¦", "colon": ":",
	"circ": "°", "degree": "°", "degrees": "°", "percent": "%", "prime": "'",
	"varnothing": "emptyset", "O": "emptyset", "varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "varrho": "rho",
	"arctg": "arctan", "tg": "tan", "ctg": "cot", "cosec": "csc", "lg": "lg", "sh": "sinh", "ch": "cosh", "th": "tanh", "arcctg": "arccot",
	"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lbr": "lfloor", "imath": "i", "jmath": "j", "infin": "infty", "infinity": "infty",
	"cr": `\\`, "reals": "reals", "R": "reals", "Reals": "reals",
}

// texts are commands whose argument is words or a name in some script.
var texts = set("text", "textbf", "textit", "textrm", "texttt", "textsf", "textnormal", "mathrm", "mathbf", "mathit", "mathsf", "mathtt",
	"mathcal", "mathscr", "mathfrak", "mathbb", "mbox", "hbox", "operatorname", "boldsymbol", "emph", "mathop", "pmb", "textup", "textsc", "bold")

// characters maps characters outside of ASCII to LaTeX; the empty string is a space.
var characters = map[rune]string{
	'π': `\pi `, '∞': `\infty `, '×': `\times `, '·': `\cdot `, '⋅': `\cdot `, '∙': `\cdot `, '÷': `\div `, '−': "-", '–': "-", '—': "-",
	'‐': "-", '‑': "-", '≤': `\le `, '≥': `\ge `, '⩽': `\le `, '⩾': `\ge `, '≠': `\ne `, '≈': `\approx `, '∈': `\in `, '∪': `\cup `, '∩': `\cap `,
	'∖': `\setminus `, '√': `\sqrt `, '∛': `\sqrt[3]`, '°': `\circ `, '±': `\pm `, '∓': `\mp `, '∅': `\emptyset `, 'ℝ': `\reals `,
	'²': "^2", '³': "^3", '¹': "^1", '⁴': "^4", '⁵': "^5", '⁶': "^6", '⁷': "^7", '⁸': "^8", '⁹': "^9", '⁰': "^0", '⁻': "^-",
	'½': `\frac{1}{2}`, '⅓': `\frac{1}{3}`, '⅔': `\frac{2}{3}`, '¼': `\frac{1}{4}`, '¾': `\frac{3}{4}`, '⅕': `\frac{1}{5}`, '⅛': `\frac{1}{8}`,
	'⅖': `\frac{2}{5}`, '⅗': `\frac{3}{5}`, '⅘': `\frac{4}{5}`, '⅙': `\frac{1}{6}`, '⅚': `\frac{5}{6}`, '⅜': `\frac{3}{8}`, '⅝': `\frac{5}{8}`, '⅞': `\frac{7}{8}`,
	'₀': "_0", '₁': "_1", '₂': "_2", '₃': "_3", '₄': "_4", '₅': "_5", '₆': "_6", '₇': "_7", '₈': "_8", '₉': "_9",
	'⌊': `\lfloor `, '⌋': `\rfloor `, '⌈': `\lceil `, '⌉': `\rceil `, '′': "'", '’': "'", '‘': "'", '“': "", '”': "", '€': "", '£': "", '¥': "",
	'％': "%", '，': ",", '（': "(", '）': ")", '：': ":", '＝': "=", '＋': "+", '－': "-", '／': "/", '；': ";", '。': "", '、': ",", '⁄': "/", '∕': "/", '＜': "<", '＞': ">",
	'０': "0", '１': "1", '２': "2", '３': "3", '４': "4", '５': "5", '６': "6", '７': "7", '８': "8", '９': "9",
	'α': `\alpha `, 'β': `\beta `, 'γ': `\gamma `, 'δ': `\delta `, 'ε': `\epsilon `, 'ϵ': `\epsilon `, 'ζ': `\zeta `, 'η': `\eta `, 'θ': `\theta `, 'ι': `\iota `,
	'κ': `\kappa `, 'λ': `\lambda `, 'μ': `\mu `, 'µ': `\mu `, 'ν': `\nu `, 'ξ': `\xi `, 'ρ': `\rho `, 'σ': `\sigma `, 'τ': `\tau `, 'υ': `\upsilon `,
	'φ': `\phi `, 'ϕ': `\phi `, 'χ': `\chi `, 'ψ': `\psi `, 'ω': `\omega `, 'Γ': `\Gamma `, 'Δ': `\Delta `, 'Θ': `\Theta `, 'Λ': `\Lambda `, 'Ξ': `\Xi `,
	'Π': `\Pi `, 'Σ': `\Sigma `, 'Φ': `\Phi `, 'Ψ': `\Psi `, 'Ω': `\Omega `, '∠': `\angle `, '△': `\triangle `, '∑': `\sum `, '∏': `\prod `, '∫': `\int `,
	'→': `\to `, '⇒': `\Rightarrow `, '∧': `\land `, '∨': `\lor `, '…': "", '⋯': "", '\u200b': "", '\u2061': "", '\ufeff': "", '\u00ad': "", '∣': `\mid `,
	'ℯ': "e", 'ⅈ': "i",
}

// greek are the commands that are symbols of their own.
var greek = set("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "rho",
	"sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi",
	"Omega", "ell", "hbar", "partial", "nabla", "aleph", "clubsuit", "diamondsuit", "heartsuit", "spadesuit", "triangle", "square", "angle",
	"omicron", "star", "Box", "Diamond", "dagger")

// functions are the names of functions of one argument, as commands and as plain words.
var functions = set("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc", "sinh", "cosh",
	"tanh", "coth", "sech", "csch", "arcsinh", "arccosh", "arctanh", "exp", "ln", "log", "lg", "sgn", "Re", "Im", "arg", "floor", "ceil", "abs", "det",
	"gcd", "lcm", "max", "min", "arsinh", "arcosh", "artanh")

// accents are commands that put a mark on their argument and make another symbol of it.
var accents = set("bar", "overline", "vec", "hat", "widehat", "tilde", "widetilde", "dot", "ddot", "overrightarrow", "underline",
	"overleftrightarrow", "overarc", "wideparen", "widearc", "boxed", "fbox", "overset", "underset", "stackrel", "mathring", "cancel")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
