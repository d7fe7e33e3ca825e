package expr

import "errors"

// Options bound and steer reading and comparing. The zero value asks for the defaults.
type Options struct {
	// Places is how many decimals a decimal answer is compared to; 0 means [DefaultPlaces]. Values
	// below one are also compared relative to their size, so that 0.000992 is not 0.000994.
	Places int
	// Strict refuses LaTeX that only lenient readers understand: \frac12, \sqrt2, .5.
	Strict bool
	// LooseBases lets the digits of a number in another base stand without it on either side, as
	// Math-Verify does; without it only the prediction may leave the base out.
	LooseBases bool
	// Steps bounds the work of one call of [Parse] or [Equal]; 0 means [DefaultSteps].
	Steps int
}

// Defaults of [Options].
const (
	DefaultPlaces = 6
	DefaultSteps  = 200_000
)

// Errors of [Parse]. Tell them apart with errors.Is.
var (
	// ErrUnreadable says that a text is not an answer: empty, unbalanced, or not mathematics.
	ErrUnreadable = errors.New("unreadable")
	// ErrBudget says that an answer is too long, too deep or too large to be read within the bounds.
	ErrBudget = errors.New("budget exhausted")
)

// Result is a verdict and why.
type Result struct {
	Equal bool
	// Reason starts with "equal: ", "different: " or "undecided: ".
	Reason string
}
