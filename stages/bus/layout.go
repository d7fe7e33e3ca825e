package bus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Stream names one of a run's record streams. The values are the record kinds.
type Stream string

// The streams of a run.
const (
	Problems Stream = "problems"
	Rollouts Stream = "rollouts"
	Scored   Stream = "scored"
	Metrics  Stream = "metrics"
	// dead is written by [Run.Dead]; it has one subject for each stage.
	dead Stream = "dead"
)

// Streams lists the record streams in the order of the dataflow.
func Streams() []Stream { return []Stream{Problems, Rollouts, Scored, Metrics} }

// DefaultDuplicateWindow is how long the server remembers message ids unless told otherwise: longer
// than any stage works on one message, with room for a restart.
const DefaultDuplicateWindow = 2 * time.Hour

// validName accepts what is safe as one token of a subject, in a stream name and in a file name.
func validName(what, name string) error {
	ok := name != "" && len(name) <= 100
	for _, c := range name {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	if !ok {
		return fmt.Errorf("%w: %s %q: expected 1 to 100 letters, digits, - and _", ErrName, what, name)
	}
	return nil
}

// CheckRunName says what is wrong with a name for a run; [ErrName].
func CheckRunName(name string) error { return validName("run", name) }

func streamName(run string, s Stream) string { return "openrs-" + run + "-" + string(s) }
func bucketName(run string) string           { return "openrs-" + run }
func policyStoreName(run string) string      { return "openrs-" + run + "-policy" }
func subjectOf(run string, s Stream) string  { return "openrs." + run + "." + string(s) }
func deadSubject(run, stage string) string   { return subjectOf(run, dead) + "." + stage }
func known(s Stream) bool                    { return slices.Contains(Streams(), s) }
func unknownStream(s Stream, run *Run) error {
	return fmt.Errorf("%w: stream %q of run %s: expected one of %v", ErrName, s, run.name, Streams())
}

// streamConfig is what a stream of a run is created with.
func streamConfig(run string, s Stream, o RunOptions) jetstream.StreamConfig {
	subject := subjectOf(run, s)
	if s == dead {
		subject += ".*"
	}
	c := jetstream.StreamConfig{
		Name:        streamName(run, s),
		Description: "openrs run " + run + ": " + string(s),
		Subjects:    []string{subject},
		Retention:   jetstream.LimitsPolicy,
		Storage:     jetstream.FileStorage,
		// A full stream refuses; it must not forget its oldest messages.
		Discard:     jetstream.DiscardNew,
		MaxBytes:    -1,
		AllowDirect: true,
		Duplicates:  DefaultDuplicateWindow,
		Replicas:    max(o.Replicas, 1),
	}
	if o.MaxBytes > 0 {
		c.MaxBytes = o.MaxBytes
	}
	if o.DuplicateWindow > 0 {
		c.Duplicates = o.DuplicateWindow
	}
	return c
}

// differences lists, as "field: expected …, found …", why an existing stream can't serve as the
// wanted one. What an operator may tune (replicas, size, window, placement) only counts when the
// options ask for it explicitly; what could lose or reorder messages always counts.
func differences(have, want jetstream.StreamConfig, o RunOptions) []string {
	var out []string
	note := func(differ bool, field string, want, have any) {
		if differ {
			out = append(out, fmt.Sprintf("%s: expected %v, found %v", field, want, have))
		}
	}
	note(!slices.Equal(have.Subjects, want.Subjects), "subjects", want.Subjects, have.Subjects)
	note(have.Retention != want.Retention, "retention", want.Retention, have.Retention)
	note(have.Storage != want.Storage, "storage", want.Storage, have.Storage)
	limited := have.MaxBytes > 0 || have.MaxMsgs > 0
	note(limited && have.Discard != want.Discard, "discard", want.Discard, have.Discard)
	note(have.MaxMsgsPerSubject > 0, "max messages per subject", "no limit", have.MaxMsgsPerSubject)
	note(have.MaxAge > 0, "max age", "no limit", have.MaxAge)
	note(have.NoAck, "no ack", false, have.NoAck)
	note(have.Sealed, "sealed", false, have.Sealed)
	note(have.Mirror != nil, "mirror", "none", "one")
	note(len(have.Sources) > 0, "sources", "none", len(have.Sources))
	note(have.SubjectTransform != nil, "subject transform", "none", "one")
	note(o.Replicas > 0 && have.Replicas != want.Replicas, "replicas", want.Replicas, have.Replicas)
	note(o.MaxBytes > 0 && have.MaxBytes != want.MaxBytes, "max bytes", want.MaxBytes, have.MaxBytes)
	note(o.DuplicateWindow > 0 && have.Duplicates < want.Duplicates, "duplicate window", want.Duplicates, have.Duplicates)
	return out
}

// compatible turns differences into an error.
func compatible(have, want jetstream.StreamConfig, o RunOptions) error {
	if d := differences(have, want, o); len(d) > 0 {
		return fmt.Errorf("%w: stream %s exists: %s", ErrIncompatible, want.Name, strings.Join(d, "; "))
	}
	return nil
}
