package expr

import (
	"math/big"
	"strings"
)

// unit is a unit of measurement or a word for what is counted.
type unit struct {
	name string // of what it measures, such as "m", with powers after it; "" for a bare number
	size *big.Rat
}

// units maps names and words to the unit that measures the same and how many of that they are.
// Temperatures and currencies measure themselves.
var units = unitTable(`
m: m meter meters metre metres 1; cm centimeter centimeters centimetre centimetres 1/100; mm millimeter millimeters 1/1000;
 km kilometer kilometers kilometre kilometres kms 1000; in inch inches 127/5000; ft foot feet 381/1250; yd yard yards 1143/1250; mi mile miles 201168/125;
 nm nanometer nanometers 1/1000000000
s: s sec secs second seconds 1; min mins minute minutes 60; h hr hrs hour hours 3600; day days 86400; week weeks 604800; ms millisecond milliseconds 1/1000
month: month months 1
year: year years yr yrs 1; decade decades 10
g: g gram grams 1; kg kilogram kilograms kgs 1000; mg milligram milligrams 1/1000; ton tons tonne tonnes 1000000
lb: lb lbs pound pounds 1; oz ounce ounces 1/16
L: L liter liters litre litres 1; mL ml milliliter milliliters 1/1000; gallon gallons gal 473176473/125000000; quart quarts qt 473176473/500000000;
 pint pints pt 473176473/1000000000; cup cups 473176473/2000000000
usd: dollar dollars usd 1; cent cents 1/100
eur: euro euros 1
N: N newton newtons 1; kN 1000
J: J joule joules 1; kJ 1000; eV 1602176634/10000000000000000000000000000
W: W watt watts 1; kW kilowatt kilowatts 1000
V: V volt volts 1; mV 1/1000
Pa: Pa pascal pascals 1; kPa 1000
Hz: Hz hertz 1; kHz 1000; MHz 1000000
mol: mol mole moles 1
K: K kelvin kelvins 1
rad: rad radian radians 1
mph: mph 1
deg: degC degF celsius fahrenheit 1
unit: unit units 1
am: am 1
pm: pm 1
`)

// needsText are units that are one only inside of \text or \mathrm: outside they are letters.
var needsText = set("m", "s", "h", "g", "L", "N", "J", "W", "V", "K", "mg", "ms", "mi", "mol", "pt", "nm", "eV", "in")

// bareUnits are letters that may be a unit after a number and a space when the other side has none.
const bareUnits = "msghLlNJWVK"

func unitTable(s string) map[string]unit {
	m := map[string]unit{}
	base := ""
	for _, line := range strings.Split(strings.TrimSpace(s), "\n") {
		if name, rest, ok := strings.Cut(line, ":"); ok {
			base, line = strings.TrimSpace(name), rest
		}
		for _, part := range strings.Split(line, ";") {
			words := strings.Fields(part)
			if len(words) < 2 {
				continue
			}
			size, _ := new(big.Rat).SetString(words[len(words)-1])
			for _, w := range words[:len(words)-1] {
				m[w] = unit{name: base, size: size}
			}
		}
	}
	return m
}

// quantity is what the units after a number come to: what they measure, each with its power, and the
// size of the product. Words that are in no table are kept as words.
type quantity struct {
	powers  map[string]int
	size    *big.Rat
	unknown string
	scale   int64 // of words for powers of ten: 3 million
}

// multipliers are the words for powers of ten after a number.
var multipliers = map[string]int64{"hundred": 100, "thousand": 1000, "million": 1e6, "millions": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12}

// areal are the words that make a square or a cube of the unit after them.
var areal = set("square", "sq", "cubic")

// times adds a unit to the quantity, with a power that is negative below a fraction bar.
func (q *quantity) times(text string, power int) {
	if q.size == nil {
		q.size, q.powers, q.scale = big.NewRat(1, 1), map[string]int{}, 1
	}
	for i, w := range strings.Fields(unitText.Replace(strings.Trim(text, ".,;"))) {
		lower := strings.ToLower(w)
		if w == "/" {
			power = -max(power, -power)
			continue
		}
		base := power
		if name, exp, ok := strings.Cut(w, "^"); ok && len(exp) == 1 && isDigit(exp[0]) {
			w, lower = name, strings.ToLower(name)
			power *= int(exp[0] - '0')
		}
		u, ok := units[w]
		if !ok {
			u, ok = units[lower]
		}
		if k, ok := multipliers[lower]; ok {
			q.scale *= k
			continue
		}
		switch {
		case lower == "square" || lower == "sq" || lower == "cubic":
			n := 2
			if lower == "cubic" {
				n = 3
			}
			rest := strings.Join(strings.Fields(text)[min(i+1, len(strings.Fields(text))):], " ")
			q.times(rest, n*power)
			return
		case lower == "per":
			power = -power
			continue
		case lower == "of" || lower == "the" || lower == "a" || lower == "in" && i > 0:
			continue
		case ok && power > -8 && power < 8:
			q.powers[u.name] += power
			for range max(power, -power) {
				if power > 0 {
					q.size.Mul(q.size, u.size)
				} else {
					q.size.Quo(q.size, u.size)
				}
			}
		default:
			q.unknown += lower + " "
		}
		power = base
	}
}

var unitText = strings.NewReplacer("-", " ", "/", " / ", "*", " ", "·", " ", "²", "^2", "³", "^3", ".", "")

// phrases are words that are no unit but change what a number means.
var phrases = set("or", "more", "less", "least", "most", "than", "not", "about", "at", "if", "when", "for", "where", "only", "even", "odd", "is", "are",
	"approximately", "times", "modulo", "and", "mod", "each", "but", "no", "between", "all", "any", "integer", "whenever", "with", "to",
	"remainder", "rem", "squared", "cubed", "factorial", "half", "halves", "thirds", "fourths", "fifths", "sixths", "eighths", "tenths", "hundredths",
	"thousandths", "plus", "minus", "over", "by", "point", "negative", "below", "above", "fewer", "greater", "larger", "smaller", "except", "without")

// phrase reports whether the words after a number are more than the name of what is counted.
func (q quantity) phrase() bool {
	words := strings.Fields(q.unknown)
	if len(words) == 1 && words[0] == "times" {
		return false // 12 times is how often, 12 times more is not
	}
	for _, w := range words {
		if phrases[w] {
			return true
		}
	}
	return false
}

// known reports whether all of the quantity's units are in the table.
func (q quantity) known() bool { return q.size != nil && q.unknown == "" && len(q.powers) > 0 }

// String names what is measured.
func (q quantity) String() string {
	if q.size == nil {
		return ""
	}
	names := make([]string, 0, len(q.powers))
	for n := range q.powers {
		names = append(names, n)
	}
	return joinPowers(names, q.powers) + strings.TrimSpace(q.unknown)
}
