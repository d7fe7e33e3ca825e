package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"openrs/stages/atomicfile"
)

// Score is what an evaluation found about one task.
type Score struct {
	Task      string     `json:"task"`
	Accuracy  float64    `json:"accuracy"`
	Interval  [2]float64 `json:"interval"` // 95 %, over problems
	Problems  int        `json:"problems"`
	Samples   int        `json:"samples"`
	Tokens    float64    `json:"mean_tokens"` // of a completion
	Truncated float64    `json:"truncated"`   // share of completions that ran into the limit
}

// Evaluated is a policy that is done.
type Evaluated struct {
	Version int64   `json:"version"` // also the number of optimizer steps that it has had
	Digest  string  `json:"digest"`  // of its weights
	Seconds float64 `json:"seconds"`
	Scores  []Score `json:"scores"`
	Told    bool    `json:"told"` // its metrics were sent
}

// Skipped is a policy that was due and will not be evaluated.
type Skipped struct {
	Version int64  `json:"version"`
	Reason  string `json:"reason"`
}

// Begun is a policy that is being evaluated.
type Begun struct {
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
}

// Ledger is what a watcher has done.
type Ledger struct {
	Evaluated []Evaluated `json:"evaluated"` // by version
	Skipped   []Skipped   `json:"skipped"`
	Begun     *Begun      `json:"begun,omitempty"`
}

// ReadLedger reads the ledger at path; one that does not exist is empty.
func ReadLedger(path string) (*Ledger, error) {
	l := &Ledger{Evaluated: []Evaluated{}, Skipped: []Skipped{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := 1; i < len(l.Evaluated); i++ {
		if l.Evaluated[i].Version <= l.Evaluated[i-1].Version {
			return nil, fmt.Errorf("%s: version %d comes after version %d", path, l.Evaluated[i].Version, l.Evaluated[i-1].Version)
		}
	}
	return l, nil
}

// Save writes the ledger, all or nothing.
func (l *Ledger) Save(path string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(l)
	})
}

// after is the newest version that was evaluated or skipped, unknown before the first.
func (l *Ledger) after() int64 {
	last := int64(unknown)
	if n := len(l.Evaluated); n > 0 {
		last = l.Evaluated[n-1].Version
	}
	for _, s := range l.Skipped {
		last = max(last, s.Version)
	}
	return last
}

// spent is how long the evaluations have taken.
func (l *Ledger) spent() time.Duration {
	total := 0.0
	for _, e := range l.Evaluated {
		total += e.Seconds
	}
	return time.Duration(total * float64(time.Second))
}
