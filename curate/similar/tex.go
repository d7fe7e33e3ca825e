package similar

// texAction says what the normaliser does at a TeX command.
type texAction uint8

const (
	texWord   texAction = iota // stands for a word (texCommand.word)
	texDrop                    // layout only: nothing remains
	texInside                  // its argument is text like the text around it
	texSkip                    // goes together with its argument
	texRecase                  // like texSkip, but the argument after it stays (\textcolor)
	texBegin                   // \begin: skips the name, and the columns of a table
	texFrac                    // a fraction of two arguments
	texBinom                   // a binomial coefficient of two arguments
)

type texCommand struct {
	action texAction
	word   string
}

// texCommands holds the commands that aren't simply a word with their own name.
// It is only read.
var texCommands = func() map[string]texCommand {
	m := map[string]texCommand{
		"begin": {action: texBegin}, "end": {action: texSkip},
		"textcolor": {action: texRecase}, "colorbox": {action: texRecase},
	}
	add := func(action texAction, names ...string) {
		for _, n := range names {
			m[n] = texCommand{action: action}
		}
	}
	add(texDrop, "left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr",
		"Biggl", "Biggr", "bigm", "Bigm", "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "quad", "qquad",
		"hline", "noalign", "allowbreak", "nonumber", "notag", "noindent", "indent", "smallskip", "medskip", "bigskip", "par",
		"newline", "linebreak", "hfill", "hfil", "vfill", "centering", "cdot", "times", "ast", "thinspace", "enspace",
		"bf", "it", "rm", "sf", "tt", "sc", "em", "cal", "bold", "tiny", "scriptsize", "footnotesize", "small", "normalsize",
		"large", "Large", "LARGE", "huge", "Huge", "strut", "null", "relax", "colon", "item", "mathstrut", "nobreak")
	add(texInside, "text", "mbox", "hbox", "textbf", "textit", "textrm", "textsf", "texttt", "textnormal", "textsc", "textup",
		"emph", "mathrm", "mathbf", "mathit", "mathsf", "mathtt", "mathbb", "mathcal", "mathfrak", "mathscr", "mathop",
		"mathbin", "mathrel", "boldsymbol", "bm", "pmb", "operatorname", "overline", "underline", "bar", "vec", "hat", "tilde",
		"widehat", "widetilde", "overrightarrow", "overleftrightarrow", "overarc", "boxed", "fbox", "framebox", "underbrace",
		"overbrace", "ensuremath", "smash", "mathring")
	add(texSkip, "hspace", "vspace", "hskip", "vskip", "tag", "label", "color", "phantom", "hphantom", "vphantom", "cline",
		"usepackage", "includegraphics", "renewcommand")
	add(texFrac, "frac", "dfrac", "tfrac", "cfrac", "sfrac")
	add(texBinom, "binom", "dbinom", "tbinom")
	for names, w := range map[[6]string]string{
		{"le", "leq", "leqslant", "leqq"}: "<=",
		{"ge", "geq", "geqslant", "geqq"}: ">=",
		{"ne", "neq"}:                     "!=",
		{"lt"}:                            "<",
		{"gt"}:                            ">",
		{"over"}:                          "/",
		{"div"}:                           "/",
		{"mid", "vert", "lvert", "rvert", "Vert", "lVert"}: "|",
		{"rVert"}: "|",
		{"ldots", "cdots", "dots", "dotsb", "dotsc"}: "dots",
		{"dotsm", "vdots", "ddots"}:                  "dots",
		{"lbrace", "lbrack"}:                         "[",
		{"rbrace", "rbrack"}:                         "]",
		{"pmod", "bmod", "pod"}:                      "mod",
		{"measuredangle", "sphericalangle"}:          "angle",
		{"degree", "deg"}:                            "degrees",
		{"varepsilon"}:                               "epsilon",
		{"varphi"}:                                   "phi",
		{"vartheta"}:                                 "theta",
		{"bigtriangleup", "vartriangle"}:             "triangle",
		{"rightarrow", "longrightarrow", "mapsto"}:   "to",
		{"Longrightarrow", "Rightarrow"}:             "implies",
		{"bigcap"}:                                   "cap",
		{"bigcup"}:                                   "cup",
		{"setminus"}:                                 "backslash",
		{"infty"}:                                    "infinity",
		{"emptyset", "varnothing"}:                   "emptyset",
		{"lnot"}:                                     "neg",
		{"land"}:                                     "wedge",
		{"lor"}:                                      "vee",
		{"S"}:                                        "section",
		{"ell"}:                                      "l",
	} {
		for _, n := range names {
			if n != "" {
				m[n] = texCommand{word: w}
			}
		}
	}
	return m
}()

// symbolSpelling gives the ASCII or TeX spelling of symbols outside ASCII, so
// that the rest of the normaliser sees one spelling only. It is only read.
var symbolSpelling = map[rune]string{
	'∉': " \\notin ", '∤': " \\nmid ", '≰': " \\nleq ", '≱': " \\ngeq ", '∓': " \\mp ",
	'≤': "<=", '⩽': "<=", '≦': "<=", '≥': ">=", '⩾': ">=", '≧': ">=", '≠': "!=",
	'−': "-", '–': "-", '‐': "-", '‑': "-", '‒': "-", '—': " ", '―': " ", '×': " ", '·': " ", '⋅': " ", '∙': " ", '÷': "/", '∕': "/", '⁄': "/",
	'’': "'", '‘': "'", '′': "'", 'ʹ': "'", '″': "''", '“': " ", '”': " ", '„': " ",
	'…': " \\dots ", '⋯': " \\dots ", '°': " \\degree ", '∠': " \\angle ", '△': " \\triangle ", '√': " \\sqrt ",
	'∞': " \\infty ", '∑': " \\sum ", '∏': " \\prod ", '∫': " \\int ", '∈': " \\in ", '∩': " \\cap ", '∪': " \\cup ",
	'⊂': " \\subset ", '⊆': " \\subseteq ", '⊥': " \\perp ", '∥': " \\parallel ", '≡': " \\equiv ", '≈': " \\approx ",
	'≅': " \\cong ", '∼': " \\sim ", '→': " \\to ", '⇒': " \\implies ", '⌊': " \\lfloor ", '⌋': " \\rfloor ", '⌈': " \\lceil ",
	'⌉': " \\rceil ", '±': " \\pm ", '∅': " \\emptyset ", '∣': "|", '∂': " \\partial ", '∇': " \\nabla ",
	'€': " euros ", '£': " pounds ",
	'α': " \\alpha ", 'β': " \\beta ", 'γ': " \\gamma ", 'δ': " \\delta ", 'ε': " \\epsilon ", 'ϵ': " \\epsilon ", 'ζ': " \\zeta ",
	'η': " \\eta ", 'θ': " \\theta ", 'ϑ': " \\theta ", 'ι': " \\iota ", 'κ': " \\kappa ", 'λ': " \\lambda ", 'μ': " \\mu ", 'µ': " \\mu ",
	'ν': " \\nu ", 'ξ': " \\xi ", 'π': " \\pi ", 'ρ': " \\rho ", 'σ': " \\sigma ", 'τ': " \\tau ", 'φ': " \\phi ", 'ϕ': " \\phi ",
	'χ': " \\chi ", 'ψ': " \\psi ", 'ω': " \\omega ", 'Γ': " \\gamma ", 'Δ': " \\delta ", 'Θ': " \\theta ", 'Λ': " \\lambda ",
	'Ξ': " \\xi ", 'Π': " \\pi ", 'Σ': " \\sigma ", 'Φ': " \\phi ", 'Ψ': " \\psi ", 'Ω': " \\omega ",
	'⁰': "^0", '¹': "^1", '²': "^2", '³': "^3", '⁴': "^4", '⁵': "^5", '⁶': "^6", '⁷': "^7", '⁸': "^8", '⁹': "^9", 'ⁿ': "^n",
	'⁺': "^+", '⁻': "^-", 'ß': "ss", 'ı': "i",
}

// numberWord is what an English number word adds up to.
type numberWord struct {
	value int
	tens  bool // twenty to ninety: a word for 1 to 9 may follow
	scale bool // hundred, thousand, million: multiplies a number word before it
}

// numberWords is only read.
var numberWords = func() map[string]numberWord {
	m := map[string]numberWord{
		"hundred": {value: 100, scale: true}, "thousand": {value: 1000, scale: true}, "million": {value: 1000000, scale: true},
	}
	for i, w := range []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
		"eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"} {
		m[w] = numberWord{value: i}
	}
	for i, w := range []string{"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"} {
		m[w] = numberWord{value: 10 * (i + 2), tens: true}
	}
	return m
}()
