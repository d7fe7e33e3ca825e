package table

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
)

// supported refuses types that validateRecord does not know: unions, views, run ends, extensions. No
// kind of record has them and data sets hardly do.
func supported(typ arrow.DataType) error {
	switch typ := typ.(type) {
	case arrow.ExtensionType:
	case *arrow.NullType, *arrow.StringType, *arrow.LargeStringType, *arrow.BinaryType, *arrow.LargeBinaryType:
		return nil
	case *arrow.DictionaryType:
		return supported(typ.ValueType)
	case *arrow.ListType, *arrow.LargeListType, *arrow.FixedSizeListType, *arrow.MapType, *arrow.StructType:
		for _, f := range typ.(arrow.NestedType).Fields() {
			if err := supported(f.Type); err != nil {
				return err
			}
		}
		return nil
	case arrow.FixedWidthDataType:
		return nil
	}
	return fmt.Errorf("columns of type %s are not supported", typ)
}

// validateRecord checks that every value of a record that came from outside lies within its buffers:
// the Arrow library checks little when it makes arrays of them and would panic, or read foreign memory,
// when they are used.
func validateRecord(rec arrow.Record) error {
	for i, col := range rec.Columns() {
		if int64(col.Len()) != rec.NumRows() {
			return fmt.Errorf("%w: column %q has %d rows, want %d", ErrCorrupt, rec.ColumnName(i), col.Len(), rec.NumRows())
		}
		if err := validateData(col.Data()); err != nil {
			return fmt.Errorf("%w: column %q: %w", ErrCorrupt, rec.ColumnName(i), err)
		}
	}
	return nil
}

func validateData(data arrow.ArrayData) error {
	if data.Len() < 0 || data.Offset() < 0 || data.Len() > 1<<40 || data.Offset() > 1<<40 {
		return fmt.Errorf("%d rows from %d", data.Len(), data.Offset())
	}
	if err := validateNulls(data); err != nil {
		return err
	}
	end := data.Offset() + data.Len()
	switch typ := data.DataType().(type) {
	case *arrow.DictionaryType:
		return validateDictionary(data, typ)
	case *arrow.StringType:
		return validateText(data, 4, true)
	case *arrow.LargeStringType:
		return validateText(data, 8, true)
	case *arrow.BinaryType:
		return validateText(data, 4, false)
	case *arrow.LargeBinaryType:
		return validateText(data, 8, false)
	case *arrow.ListType, *arrow.MapType:
		return validateList(data, 4)
	case *arrow.LargeListType:
		return validateList(data, 8)
	case *arrow.FixedSizeListType:
		return validateChildren(data, end*int(typ.Len()))
	case *arrow.StructType:
		return validateChildren(data, end)
	case arrow.FixedWidthDataType:
		if typ.BitWidth() <= 0 {
			return fmt.Errorf("values of %d bits", typ.BitWidth())
		}
		if have := len(bufferOf(data, 1)); have < (end*typ.BitWidth()+7)/8 {
			return fmt.Errorf("%d bytes of values, want %d for %d rows", have, (end*typ.BitWidth()+7)/8, end)
		}
	}
	return nil
}

func bufferOf(data arrow.ArrayData, i int) []byte {
	if b := data.Buffers(); i < len(b) && b[i] != nil {
		return b[i].Bytes()
	}
	return nil
}

func validateNulls(data arrow.ArrayData) error {
	nulls := data.NullN()
	if data.DataType().ID() == arrow.NULL || nulls == 0 && bufferOf(data, 0) == nil {
		return nil
	}
	valid, end := bufferOf(data, 0), data.Offset()+data.Len()
	if len(valid) < (end+7)/8 {
		return fmt.Errorf("%d bytes of validity, want %d for %d rows", len(valid), (end+7)/8, end)
	}
	if got := data.Len() - countBits(valid, data.Offset(), end); nulls >= 0 && got != nulls {
		return fmt.Errorf("%d nulls, its header says %d", got, nulls)
	}
	return nil
}

func countBits(b []byte, from, to int) int {
	n := 0
	for from < to {
		if from%64 == 0 && to-from >= 64 && from/8+8 <= len(b) {
			n += bits.OnesCount64(binary.LittleEndian.Uint64(b[from/8:]))
			from += 64
			continue
		}
		n += int(b[from/8] >> (from % 8) & 1)
		from++
	}
	return n
}

// offsetsOf returns a function that reads the offsets of n rows, after checking that they rise from 0
// or more to at most limit.
func offsetsOf(data arrow.ArrayData, width, limit int) (func(i int) int, error) {
	b, end := bufferOf(data, 1), data.Offset()+data.Len()
	if data.Len() == 0 && len(b) == 0 { // the only case in which there may be none
		return func(int) int { return 0 }, nil
	}
	if len(b) < (end+1)*width {
		return nil, fmt.Errorf("%d bytes of offsets, want %d for %d rows", len(b), (end+1)*width, end)
	}
	at := func(i int) int {
		i += data.Offset()
		if width == 4 {
			return int(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
		return int(int64(binary.LittleEndian.Uint64(b[8*i:])))
	}
	if at(0) < 0 || at(0) > limit {
		return nil, fmt.Errorf("row 0 starts at %d of %d", at(0), limit)
	}
	for i := range data.Len() {
		if at(i+1) < at(i) || at(i+1) > limit {
			return nil, fmt.Errorf("row %d goes from %d to %d of %d", i, at(i), at(i+1), limit)
		}
	}
	return at, nil
}

func validateText(data arrow.ArrayData, width int, text bool) error {
	values := bufferOf(data, 2)
	if len(values) > 0 && len(bufferOf(data, 1)) == 0 {
		return fmt.Errorf("%d bytes of text without offsets", len(values))
	}
	at, err := offsetsOf(data, width, len(values))
	if err != nil || !text || data.Len() == 0 {
		return err
	}
	// All rows at once is fast; the boundaries then only need to be starts of characters.
	ok := utf8.Valid(values[at(0):at(data.Len())])
	for i := 0; ok && i < data.Len(); i++ {
		ok = at(i) == len(values) || at(i) == at(data.Len()) || utf8.RuneStart(values[at(i)])
	}
	if ok {
		return nil
	}
	for i := range data.Len() {
		if !utf8.Valid(values[at(i):at(i+1)]) {
			return fmt.Errorf("row %d is not valid UTF-8", i)
		}
	}
	return nil
}

func validateList(data arrow.ArrayData, width int) error {
	if len(data.Children()) != 1 {
		return fmt.Errorf("%d children, want 1", len(data.Children()))
	}
	if _, err := offsetsOf(data, width, data.Children()[0].Len()); err != nil {
		return err
	}
	return validateChildren(data, 0)
}

func validateChildren(data arrow.ArrayData, want int) error {
	for _, child := range data.Children() {
		if child.Len() < want {
			return fmt.Errorf("a child of %d rows, want %d", child.Len(), want)
		}
		if err := validateData(child); err != nil {
			return err
		}
	}
	return nil
}

func validateDictionary(data arrow.ArrayData, typ *arrow.DictionaryType) error {
	index, ok := typ.IndexType.(arrow.FixedWidthDataType)
	if !ok || data.Dictionary() == nil {
		return fmt.Errorf("a dictionary column without its dictionary")
	}
	dict := data.Dictionary()
	if err := validateData(dict); err != nil {
		return fmt.Errorf("dictionary: %w", err)
	}
	width, b, valid := index.BitWidth()/8, bufferOf(data, 1), bufferOf(data, 0)
	if len(b) < (data.Offset()+data.Len())*width {
		return fmt.Errorf("%d bytes of indices, want %d", len(b), (data.Offset()+data.Len())*width)
	}
	var word [8]byte
	for i := data.Offset(); i < data.Offset()+data.Len(); i++ {
		if valid != nil && data.NullN() != 0 && valid[i/8]>>(i%8)&1 == 0 {
			continue
		}
		copy(word[:], b[i*width:(i+1)*width])
		// A negative index of a signed type reads as a number above any dictionary's length.
		if k := binary.LittleEndian.Uint64(word[:]); k >= uint64(dict.Len()) {
			return fmt.Errorf("row %d has index %d of a dictionary of %d", i-data.Offset(), k, dict.Len())
		}
	}
	return nil
}
