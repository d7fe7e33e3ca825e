package similar

// Exact finds rows whose normal form is the same as that of an earlier row. It
// keeps a 128-bit hash and a row number for each distinct text: about 50 bytes
// a row, whatever the texts' length. Two different texts share a hash with a
// probability of about rows²/10³⁸.
type Exact struct {
	rows map[[2]uint64]int
}

// NewExact returns a finder that has seen nothing.
func NewExact() *Exact { return &Exact{rows: map[[2]uint64]int{}} }

// Add looks a row up and, if its text is new, remembers it under the caller's
// row number. first is the row that had the text first. A text without words
// is never a duplicate.
func (e *Exact) Add(row int, t *Text) (first int, duplicate bool) {
	if len(t.words) == 0 {
		return 0, false
	}
	key := t.key()
	if first, duplicate = e.rows[key]; duplicate {
		return first, true
	}
	e.rows[key] = row
	return 0, false
}

// key is a 128-bit hash of the normal form.
func (t *Text) key() [2]uint64 {
	a, b := uint64(1), uint64(2)
	for i := range t.words {
		h := t.words[i].hash
		a, b = combine(a, h), combine(b, h+fnvPrime)
	}
	return [2]uint64{mix(a), mix(b)}
}
