package trl

import "slices"

// row says what becomes of one key. Exactly one of to, part and why-only is meant: see fate.
type row struct {
	key  string
	kind kind     // of its value, null aside
	to   string   // "section.flag": the value goes there as it is
	part string   // the derivation that reads it
	why  string   // a remark on a mapped key; otherwise the reason
	off  []string // not supported, but for these values, which ask for nothing; nil: ignored whatever the value
}

// kind is what a value may be.
type kind uint8

const (
	anything kind = iota
	text          // any scalar
	number
	whole
	natural // whole, from 0
	truth   // true or false
	words   // a scalar or a list of scalars
)

// Parts of the table that a derivation reads.
const (
	partType     = "dtype"
	partBatch    = "batch"
	partSteps    = "steps"
	partSchedule = "schedule"
	partSave     = "save"
	partRewards  = "rewards"
	partSampling = "sampling"
	partLoss     = "loss"
	partAdapter  = "adapter"
)

// table returns the rows of all keys.
func table() []row {
	return slices.Concat(modelRows(), dataRows(), grpoRows(), trainerRows(), scriptRows())
}

// reason is a run of keys that are ignored for the same reason.
func reason(why string, keys ...string) []row {
	var rows []row
	for _, k := range keys {
		rows = append(rows, row{key: k, why: why})
	}
	return rows
}

// derived is a run of keys that one derivation reads.
func derived(part string, k kind, keys ...string) []row {
	var rows []row
	for _, key := range keys {
		rows = append(rows, row{key: key, kind: k, part: part})
	}
	return rows
}

// unless is a run of keys that are not supported unless they have one of these values.
func unless(off []string, why string, keys ...string) []row {
	var rows []row
	for _, k := range keys {
		rows = append(rows, row{key: k, off: off, why: why})
	}
	return rows
}

// Values that ask for nothing.
var (
	no   = []string{"", "false", "no", "none", "0", "0.0"}
	none = []string{"", "none", "[]", "{}"}
)
