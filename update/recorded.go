package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/array"

	"openrs/schemas"
	"openrs/stages/table"
	"openrs/update/steps"
)

// assembler puts the groups of the input at path together. Those of a file are counted first, unless perStep says how
// many a step has: a sampler writes groups when they are finished, so that a later step may begin before an earlier one
// ends. A pipe can't be read twice; its steps must follow each other.
func assembler(path string, perStep int, first int64) (*steps.Assembler, error) {
	if st, err := os.Stat(path); perStep > 0 || err != nil || !st.Mode().IsRegular() {
		return steps.NewAssembler(perStep, first), nil // what is wrong with the input is said where it is opened
	}
	sizes, err := recordedSteps(path)
	if err != nil {
		return nil, err
	}
	return steps.NewRecorded(sizes, first), nil
}

// recordedSteps counts the groups of each step of a file.
func recordedSteps(path string) (map[int64]int, error) {
	r, err := table.Open(path, schemas.KindScored)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	type group struct {
		step int64
		id   string
	}
	seen, sizes := map[group]bool{}, map[int64]int{}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return sizes, nil
		}
		if err != nil {
			return nil, err
		}
		column := func(name string) any { return rec.Column(rec.Schema().FieldIndices(name)[0]) } // Open has checked the schema
		ids, numbers := column("group_id").(*array.String), column("step").(*array.Int64)
		for i := range int(rec.NumRows()) {
			g := group{numbers.Value(i), ids.Value(i)}
			if !seen[g] {
				g.id = strings.Clone(g.id) // not the memory of the record
				seen[g] = true
				sizes[g.step]++
			}
		}
		rec.Release()
	}
}
