package schemas

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Range is a run of consecutive rows of one group: rows Start to End, without End.
type Range struct {
	GroupID    string
	Start, End int
}

// Len is the number of rows.
func (r Range) Len() int { return r.End - r.Start }

// GroupRanges finds the runs of equal group_id in a record of kind rollouts or scored. An id that comes
// back after another one starts a new run.
func GroupRanges(rec arrow.Record) ([]Range, error) {
	at := rec.Schema().FieldIndices("group_id")
	if len(at) != 1 {
		return nil, fmt.Errorf("%w: \"group_id\" occurs %d times, want once", ErrColumn, len(at))
	}
	ids, ok := rec.Column(at[0]).(*array.String)
	if !ok {
		return nil, fmt.Errorf("%w: \"group_id\" is %s, want utf8", ErrColumn, rec.Column(at[0]).DataType())
	}
	text := copyText(ids)
	return Runs(ids.Len(), text), nil
}

// Runs finds the runs of equal ids in n rows, for rows that are already decoded.
func Runs(n int, id func(i int) string) []Range {
	var out []Range
	for i := range n {
		g := id(i)
		if len(out) > 0 && out[len(out)-1].GroupID == g {
			out[len(out)-1].End = i + 1
		} else {
			out = append(out, Range{GroupID: g, Start: i, End: i + 1})
		}
	}
	return out
}

// ProblemID is the id of a problem: the first 16 bytes, in hexadecimal, of the SHA-256 of source and
// text, each with its length before it, so that no two pairs hash the same bytes.
func ProblemID(source, text string) string {
	h := sha256.New()
	var n [8]byte
	for _, s := range []string{source, text} {
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
