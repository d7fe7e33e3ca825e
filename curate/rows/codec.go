package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// ErrCorrupt marks bytes that are no row: the temporary file was changed by somebody else.
var ErrCorrupt = errors.New("not a row")

// Append appends a row's bytes to b: numbers are varints, texts have their length before them, optional
// values a byte that says whether they are there, and metadata comes in the order of its keys.
func Append(b []byte, r *Row) []byte {
	b = binary.AppendUvarint(b, uint64(r.Num))
	b = binary.AppendUvarint(b, uint64(r.File))
	b = binary.AppendUvarint(b, uint64(r.Line))
	p := &r.Problem
	for _, s := range []string{p.ProblemID, p.Source, p.Problem, p.Answer} {
		b = appendText(b, s)
	}
	b = append(b, flag(p.Solution != nil))
	if p.Solution != nil {
		b = appendText(b, *p.Solution)
	}
	b = append(b, flag(p.Difficulty != nil))
	if p.Difficulty != nil {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(*p.Difficulty))
	}
	b = append(b, flag(p.PromptIDs != nil))
	if p.PromptIDs != nil {
		b = binary.AppendUvarint(b, uint64(len(p.PromptIDs)))
		for _, id := range p.PromptIDs {
			b = binary.AppendVarint(b, int64(id))
		}
	}
	b = append(b, flag(p.Metadata != nil))
	if p.Metadata != nil {
		b = binary.AppendUvarint(b, uint64(len(p.Metadata)))
		for _, k := range slices.Sorted(maps.Keys(p.Metadata)) {
			b = appendText(appendText(b, k), p.Metadata[k])
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// Decode reads the row that Append has written. The row's texts share the memory of b.
func Decode(b string) (*Row, error) {
	d := &decoder{text: b}
	r := &Row{Num: int(d.number()), File: int(d.number()), Line: int64(d.number())}
	p := &r.Problem
	p.ProblemID, p.Source, p.Problem, p.Answer = d.string(), d.string(), d.string(), d.string()
	if d.flag() {
		s := d.string()
		p.Solution = &s
	}
	if d.flag() {
		x := math.Float32frombits(d.uint32())
		p.Difficulty = &x
	}
	if d.flag() {
		n := d.count(1)
		p.PromptIDs = make([]int32, n)
		for i := range p.PromptIDs {
			p.PromptIDs[i] = d.int32()
		}
	}
	if d.flag() {
		n := d.count(2)
		p.Metadata = make(map[string]string, n)
		for range n {
			k := d.string()
			p.Metadata[k] = d.string()
		}
	}
	if d.bad || d.text != "" {
		return nil, fmt.Errorf("%w: %d bytes, %d left over", ErrCorrupt, len(b), len(d.text))
	}
	return r, nil
}

// decoder takes values off the front of a text. All texts of a row share its memory.
type decoder struct {
	text string
	bad  bool
}

func (d *decoder) fail() uint64 {
	d.bad, d.text = true, ""
	return 0
}

func (d *decoder) number() uint64 {
	var x uint64
	for i := 0; i < len(d.text) && i < binary.MaxVarintLen64; i++ {
		c := d.text[i]
		x |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.text = d.text[i+1:]
			if x > math.MaxInt64 {
				return d.fail()
			}
			return x
		}
	}
	return d.fail()
}

// count reads the number of elements that follow, each of which takes at least size bytes.
func (d *decoder) count(size int) int {
	n := d.number()
	if n > uint64(len(d.text)/size) {
		return int(d.fail())
	}
	return int(n)
}

func (d *decoder) int32() int32 {
	x := d.number() // zigzag, as binary.AppendVarint writes it
	return int32(int64(x>>1) ^ -int64(x&1))
}

func (d *decoder) uint32() uint32 {
	if len(d.text) < 4 {
		return uint32(d.fail())
	}
	b := d.text[:4]
	d.text = d.text[4:]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (d *decoder) string() string {
	n := d.count(1)
	s := d.text[:n]
	d.text = d.text[n:]
	return s
}

func (d *decoder) flag() bool {
	if d.text == "" || d.text[0] > 1 {
		d.fail()
		return false
	}
	set := d.text[0] == 1
	d.text = d.text[1:]
	return set
}
