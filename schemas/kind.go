package schemas

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
)

// Kind names one kind of record. It is stored in a schema's metadata under [MetadataKind].
type Kind string

// The kinds of records.
const (
	KindProblems Kind = "problems"
	KindRollouts Kind = "rollouts"
	KindScored   Kind = "scored"
	KindMetrics  Kind = "metrics"
)

// Keys of a schema's metadata, in Arrow and in Parquet, and the version that this code writes.
const (
	MetadataKind    = "openrs.kind"
	MetadataVersion = "openrs.version"
	Version         = 1
)

// Reasons for refusing a schema or a record, for [errors.Is]. The error's text names the place.
var (
	ErrKind    = errors.New("wrong kind of record")
	ErrVersion = errors.New("unknown version of records")
	ErrColumn  = errors.New("unexpected column")
	ErrValue   = errors.New("unexpected value")
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{KindProblems, KindRollouts, KindScored, KindMetrics} }

// Schema returns the Arrow schema that this package writes for a kind, or an error that wraps
// [ErrKind] for a name that is none.
func Schema(kind Kind) (*arrow.Schema, error) {
	switch kind {
	case KindProblems:
		return Problems().Schema(), nil
	case KindRollouts:
		return Rollouts().Schema(), nil
	case KindScored:
		return ScoredRollouts().Schema(), nil
	case KindMetrics:
		return Metrics().Schema(), nil
	}
	return nil, fmt.Errorf("%w: there is no kind %q (problems, rollouts, scored, metrics)", ErrKind, kind)
}

// Grouped tells whether rows of a kind come in groups of equal group_id that a batch must not split.
func (k Kind) Grouped() bool { return k == KindRollouts || k == KindScored }

// Accepts tells whether records of kind got may be read where want is wanted: the same kind, or
// scored rollouts read as rollouts (they have all of a rollout's columns, so recorded scored rollouts
// can be scored again).
func (k Kind) Accepts(got Kind) bool {
	return got == k || k == KindRollouts && got == KindScored
}

// KindOf reads a schema's metadata. A schema without a kind, with an unknown kind, without a version
// or with a newer version than [Version] is an error that wraps [ErrKind] or [ErrVersion].
func KindOf(schema *arrow.Schema) (Kind, error) {
	meta := schema.Metadata()
	name, ok := meta.GetValue(MetadataKind)
	if !ok {
		return "", fmt.Errorf("%w: the schema's metadata has no %s", ErrKind, MetadataKind)
	}
	kind := Kind(name)
	if _, err := Schema(kind); err != nil {
		return "", err
	}
	text, ok := meta.GetValue(MetadataVersion)
	if !ok {
		return "", fmt.Errorf("%w: the schema's metadata has no %s", ErrVersion, MetadataVersion)
	}
	return kind, CheckVersion(text)
}

// CheckVersion compares the text stored under [MetadataVersion] with [Version].
func CheckVersion(text string) error {
	v, err := strconv.Atoi(text)
	switch {
	case err != nil || v < 1:
		return fmt.Errorf("%w: %s is %q, want a number from 1 to %d", ErrVersion, MetadataVersion, text, Version)
	case v > Version:
		return fmt.Errorf("%w: %s is %d, newer than the %d that this program reads", ErrVersion, MetadataVersion, v, Version)
	}
	return nil
}

func metadataOf(kind Kind) *arrow.Metadata {
	m := arrow.NewMetadata([]string{MetadataKind, MetadataVersion}, []string{string(kind), strconv.Itoa(Version)})
	return &m
}
