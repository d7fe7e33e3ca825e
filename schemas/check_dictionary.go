package schemas

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// redictionary gives a column of finish reasons the dictionary that this package writes, so that
// batches of several origins can follow each other in one file, where Arrow allows one dictionary.
func redictionary(name string, typ *arrow.DictionaryType, arr arrow.Array) (arrow.Array, error) {
	words := FinishReasons()
	if d, ok := arr.(*array.Dictionary); ok && arrow.TypeEqual(typ, d.DataType()) && sameWords(d.Dictionary(), words) {
		arr.Retain()
		return arr, nil
	}
	word, err := choiceReader(arr)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	b := array.NewInt32Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := range arr.Len() {
		w, err := word(i)
		if err != nil {
			return nil, fmt.Errorf("row %d: column %q: %w", i, name, err)
		}
		k := slices.Index(words, w)
		if k < 0 {
			return nil, fmt.Errorf("%w: row %d: column %q: %q, want %s", ErrValue, i, name, w, strings.Join(words, " or "))
		}
		b.Append(int32(k))
	}
	indices := b.NewArray()
	defer indices.Release()
	return withDictionary(memory.DefaultAllocator, typ, indices, words), nil
}

func sameWords(dict arrow.Array, words []string) bool {
	d, ok := dict.(*array.String)
	if !ok || d.Len() != len(words) {
		return false
	}
	for i, w := range words {
		if d.IsNull(i) || d.Value(i) != w {
			return false
		}
	}
	return true
}
