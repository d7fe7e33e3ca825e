package table

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	pqformat "github.com/parquet-go/parquet-go/format"
)

func openParquetRows(in *input) (RowReader, error) {
	f, err := openParquetFile(in)
	if err != nil {
		return nil, err
	}
	r := &parquetRows{rows: parquetRowCount(f)}
	for _, c := range f.Root().Columns() {
		r.cols = append(r.cols, newAssembler(f, c))
	}
	return r, nil
}

// parquetRows reads the rows of a Parquet file with any schema.
type parquetRows struct {
	cols []*assembler
	row  int64 // the next one
	rows int64
}

func (r *parquetRows) Next() (map[string]any, error) {
	if r.row == r.rows {
		return nil, io.EOF
	}
	row := make(map[string]any, len(r.cols))
	for _, c := range r.cols {
		v, err := c.read()
		if err != nil {
			return nil, fmt.Errorf("row %d: column %q: %w", r.row, c.name, err)
		}
		row[c.name] = v
	}
	r.row++
	return row, nil
}

func (r *parquetRows) Close() error {
	for _, c := range r.cols {
		for _, l := range c.leaves {
			l.close()
		}
	}
	return nil
}

// assembler assembles the values of one node of a schema from its leaves, by the levels that Parquet
// stores with each value (Melnik et al., "Dremel", VLDB 2010): the definition level says how much of the
// path to a value is there, the repetition level which list on the path goes on.
type assembler struct {
	name     string
	optional bool
	repeated bool
	def, rep int // levels at which it is there, and at which it repeats
	shape    nodeShape
	children []*assembler
	leaves   []*leafReader // of the whole subtree
	value    func(parquet.Value) (any, error)
}

type nodeShape int

const (
	shapeLeaf  nodeShape = iota
	shapeGroup           // map[string]any of its children
	shapeList            // []any of its only child, which repeats
	shapeMap             // map[string]any of its only child, which repeats a key and a value
)

func newAssembler(f *parquet.File, c *parquet.Column) *assembler {
	n := &assembler{name: c.Name(), optional: c.Optional(), repeated: c.Repeated(), def: c.MaxDefinitionLevel(), rep: c.MaxRepetitionLevel()}
	if c.Leaf() {
		n.leaves = []*leafReader{newLeafReader(f, c)}
		n.value = plainValue(c.Type())
		return n
	}
	for _, child := range c.Columns() {
		k := newAssembler(f, child)
		n.children, n.leaves = append(n.children, k), append(n.leaves, k.leaves...)
	}
	n.shape = shapeGroup
	if len(n.children) == 1 && n.children[0].repeated {
		switch {
		case isLogical[*pqformat.ListType](c):
			n.shape = shapeList
		case isLogical[*pqformat.MapType](c) && len(n.children[0].children) == 2:
			n.shape = shapeMap
		}
	}
	return n
}

// read assembles the node's next value.
func (n *assembler) read() (any, error) {
	if len(n.leaves) == 0 {
		return map[string]any{}, nil
	}
	if !n.optional && !n.repeated {
		return n.content()
	}
	v, err := n.leaves[0].peek()
	if err != nil {
		return nil, err
	}
	if v.DefinitionLevel() < n.def { // it, or something around it, is not there
		for _, l := range n.leaves {
			if _, err := l.next(); err != nil {
				return nil, err
			}
		}
		if n.repeated {
			return []any{}, nil
		}
		return nil, nil
	}
	if !n.repeated {
		return n.content()
	}
	list := []any{}
	for {
		elem, err := n.content()
		if err != nil {
			return nil, err
		}
		list = append(list, elem)
		more, err := n.leaves[0].continues()
		if err != nil {
			return nil, err
		}
		if !more {
			return list, nil
		}
		if v, err = n.leaves[0].peek(); err != nil || v.RepetitionLevel() < n.rep {
			return list, err
		}
	}
}

// content assembles a value that is there.
func (n *assembler) content() (any, error) {
	switch n.shape {
	case shapeLeaf:
		v, err := n.leaves[0].next()
		if err != nil || v.IsNull() {
			return nil, err
		}
		return n.value(v)
	case shapeList:
		list, err := n.children[0].read()
		if err != nil {
			return nil, err
		}
		return n.unwrap(list.([]any)), nil
	case shapeMap:
		list, err := n.children[0].read()
		if err != nil {
			return nil, err
		}
		entry := n.children[0]
		m := make(map[string]any, len(list.([]any)))
		for _, kv := range list.([]any) {
			kv := kv.(map[string]any)
			m[fmt.Sprint(kv[entry.children[0].name])] = kv[entry.children[1].name]
		}
		return m, nil
	}
	m := make(map[string]any, len(n.children))
	for _, c := range n.children {
		v, err := c.read()
		if err != nil {
			return nil, err
		}
		m[c.name] = v
	}
	return m, nil
}

// unwrap takes the elements of a three-level list out of their groups. A repeated group with several
// fields, or with the names that old writers gave to it, is the element itself.
func (n *assembler) unwrap(list []any) []any {
	group := n.children[0]
	if group.shape != shapeGroup || len(group.children) != 1 || group.name == "array" || group.name == n.name+"_tuple" {
		return list
	}
	for i, elem := range list {
		list[i] = elem.(map[string]any)[group.children[0].name]
	}
	return list
}

// plainValue returns the function that turns a leaf's value, not null, into a type that [RowReader]
// promises. Decimals are numbers of exact digits; times and dates are text as in RFC 3339; bytes that
// are no text are a string all the same.
func plainValue(t parquet.Type) func(parquet.Value) (any, error) {
	var logical any
	if lt := t.LogicalType(); lt != nil {
		logical = lt.Value
	}
	switch l := logical.(type) {
	case *pqformat.DecimalType:
		return func(v parquet.Value) (any, error) { return decimal(v, int(l.Scale)), nil }
	case *pqformat.DateType:
		return func(v parquet.Value) (any, error) {
			return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly), nil
		}
	case *pqformat.TimestampType:
		var at func(int64) time.Time
		switch l.Unit.Value.(type) {
		case *pqformat.MilliSeconds:
			at = time.UnixMilli
		case *pqformat.MicroSeconds:
			at = time.UnixMicro
		default:
			at = func(ns int64) time.Time { return time.Unix(0, ns) }
		}
		return func(v parquet.Value) (any, error) { return at(v.Int64()).UTC().Format(time.RFC3339Nano), nil }
	case *pqformat.UUIDType:
		return func(v parquet.Value) (any, error) { return hex.EncodeToString(v.ByteArray()), nil }
	case *pqformat.IntType:
		if !l.IsSigned {
			return unsigned
		}
	}
	return func(v parquet.Value) (any, error) {
		switch v.Kind() {
		case parquet.Boolean:
			return v.Boolean(), nil
		case parquet.Int32:
			return int64(v.Int32()), nil
		case parquet.Int64:
			return v.Int64(), nil
		case parquet.Float:
			return float64(v.Float()), nil
		case parquet.Double:
			return v.Double(), nil
		case parquet.ByteArray, parquet.FixedLenByteArray:
			return string(v.ByteArray()), nil
		case parquet.Int96: // nanoseconds of the day and the Julian day: times of old writers
			t := v.Int96()
			const unixEpoch = 2440588
			ns := int64(uint64(t[1])<<32 | uint64(t[0]))
			return time.Unix((int64(t[2])-unixEpoch)*86400, ns).UTC().Format(time.RFC3339Nano), nil
		}
		return nil, fmt.Errorf("values of type %v are not supported", v.Kind())
	}
}

func unsigned(v parquet.Value) (any, error) {
	if v.Kind() == parquet.Int32 {
		return int64(v.Uint32()), nil
	}
	if n := v.Uint64(); n >= 1<<63 {
		return json.Number(fmt.Sprint(n)), nil
	}
	return v.Int64(), nil
}

func decimal(v parquet.Value, scale int) json.Number {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	default: // two's complement, highest byte first
		b := v.ByteArray()
		n.SetBytes(b)
		if len(b) > 0 && b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	digits := new(big.Int).Abs(n).String()
	if scale > 0 && scale < 1000 {
		if len(digits) <= scale {
			digits = strings.Repeat("0", scale+1-len(digits)) + digits
		}
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		digits = "-" + digits
	}
	return json.Number(digits)
}
