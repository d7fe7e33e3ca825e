package schemas

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

func ptr[T any](v T) *T { return &v }

// checked is an allocator that fails the test when a buffer is not released.
func checked(t *testing.T) memory.Allocator {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

func someRollout() Rollout {
	return Rollout{
		GroupID: "g∑", ProblemID: ProblemID("s", "p"), Source: "s", Problem: "What is 1+1? \u2028 𝛼", Answer: "2",
		Sample: math.MaxInt32, Step: math.MaxInt64, PolicyVersion: 1<<53 + 1,
		PromptIDs: []int32{1, math.MaxInt32, 0}, CompletionIDs: []int32{7}, LogProbs: []float32{-math.SmallestNonzeroFloat32},
		Completion: "\\boxed{2}\x00\n", FinishReason: FinishLength, Temperature: 0.7, Seed: math.MinInt64,
	}
}

func someScored() []Scored {
	first := Scored{Rollout: someRollout(), Rewards: map[string]float32{"format": 0.1, "accuracy": 1, "": -0.5},
		Reward: ptr(float32(1.1)), Advantage: -1.5, Correct: ptr(true), Extracted: ptr("")}
	second := Scored{Rollout: someRollout(), Rewards: map[string]float32{}}
	second.PromptIDs, second.CompletionIDs, second.LogProbs = []int32{}, []int32{}, []float32{}
	second.FinishReason, second.Completion = FinishError, ""
	third := first
	third.Correct, third.Extracted, third.FinishReason = ptr(false), nil, FinishStop
	return []Scored{first, second, third}
}

func someProblems() []Problem {
	return []Problem{
		{ProblemID: "a", Source: "x", Problem: "p", Answer: "1"},
		{ProblemID: "b", Solution: ptr(""), PromptIDs: []int32{}, Difficulty: ptr(float32(0)), Metadata: map[string]string{}},
		{ProblemID: "c", Solution: ptr("ü"), PromptIDs: []int32{5, 6}, Difficulty: ptr(float32(0.1)), Metadata: map[string]string{"z": "", "a": "ß"}},
		{ProblemID: "d", PromptIDs: []int32{7}},
	}
}

func roundTrip[T any](t *testing.T, table Table[T], rows []T) {
	t.Helper()
	mem := checked(t)
	rec, err := table.Encode(mem, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	if !rec.Schema().Equal(table.Schema()) {
		t.Errorf("schema of the record: %v", rec.Schema())
	}
	got, err := table.Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 && len(got) == 0 {
		return
	}
	if !reflect.DeepEqual(got, rows) {
		t.Errorf("got  %+v\nwant %+v", got, rows)
	}
	// Every slice of the record must decode to the same slice of the rows.
	for from := range rows {
		for to := from; to <= len(rows); to++ {
			part := rec.NewSlice(int64(from), int64(to))
			got, err := table.Decode(part)
			part.Release()
			if err != nil {
				t.Fatal(err)
			}
			if to > from && !reflect.DeepEqual(got, rows[from:to]) {
				t.Errorf("rows %d to %d: got %+v", from, to, got)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	scored := someScored()
	rollouts := make([]Rollout, len(scored))
	for i := range scored {
		rollouts[i] = scored[i].Rollout
	}
	metrics := []Metric{
		{Time: time.Date(2025, 2, 3, 4, 5, 6, 789000, time.UTC), Stage: "update", Step: 3, Name: "loss", Value: math.Pi},
		{Time: time.Date(1969, 12, 31, 23, 59, 59, 1000, time.UTC), Value: math.Inf(-1)},
	}
	t.Run("problems", func(t *testing.T) { roundTrip(t, Problems(), someProblems()) })
	t.Run("rollouts", func(t *testing.T) { roundTrip(t, Rollouts(), rollouts) })
	t.Run("scored", func(t *testing.T) { roundTrip(t, ScoredRollouts(), scored) })
	t.Run("metrics", func(t *testing.T) { roundTrip(t, Metrics(), metrics) })
	t.Run("no problems", func(t *testing.T) { roundTrip(t, Problems(), nil) })
	t.Run("no rollouts", func(t *testing.T) { roundTrip(t, Rollouts(), nil) })
	t.Run("no scored", func(t *testing.T) { roundTrip(t, ScoredRollouts(), nil) })
	t.Run("no metrics", func(t *testing.T) { roundTrip(t, Metrics(), nil) })
}

func TestNilListsAndMaps(t *testing.T) {
	mem := checked(t)
	rec, err := ScoredRollouts().Encode(mem, []Scored{{Rollout: Rollout{FinishReason: FinishError}}})
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	got, err := ScoredRollouts().Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	if r := got[0]; r.PromptIDs == nil || r.LogProbs == nil || r.Rewards == nil || len(r.Rewards) != 0 {
		t.Errorf("required lists and maps must come back empty, not nil: %+v", r)
	}
}

func TestRowsDoNotShareMemory(t *testing.T) {
	mem := checked(t)
	rec, err := Rollouts().Encode(mem, []Rollout{someRollout(), someRollout()})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Rollouts().Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rec.Columns() { // overwrite all that the record holds
		for _, b := range c.Data().Buffers() {
			if b != nil {
				clear(b.Bytes())
			}
		}
		for _, child := range c.Data().Children() {
			for _, b := range child.Buffers() {
				if b != nil {
					clear(b.Bytes())
				}
			}
		}
	}
	rec.Release()
	if !reflect.DeepEqual(rows[1], someRollout()) {
		t.Errorf("row changed with the record: %+v", rows[1])
	}
	_ = append(rows[0].PromptIDs, 99)
	if rows[1].PromptIDs[0] == 99 {
		t.Error("appending to one row wrote into the next")
	}
}

func TestEncodeRefuses(t *testing.T) {
	bad := func(change func(*Scored)) []Scored {
		rows := someScored()
		change(&rows[1])
		return rows
	}
	for name, c := range map[string]struct {
		rows []Scored
		want string
	}{
		"text":     {bad(func(s *Scored) { s.Completion = "\xff" }), `row 1: column "completion"`},
		"maybe":    {bad(func(s *Scored) { s.Extracted = ptr("\xc3") }), `row 1: column "extracted"`},
		"key":      {bad(func(s *Scored) { s.Rewards = map[string]float32{"\xff": 0} }), `row 1: column "rewards"`},
		"reason":   {bad(func(s *Scored) { s.FinishReason = "abort" }), `row 1: column "finish_reason": unexpected value: "abort", want stop or length or error`},
		"unfilled": {bad(func(s *Scored) { s.FinishReason = "" }), `column "finish_reason"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ScoredRollouts().Encode(checked(t), c.rows)
			if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// foreign is a rollouts record as another writer might make it: other order, other names inside lists,
// a dictionary of its own, everything marked nullable, a further column.
func foreign(t *testing.T, mem memory.Allocator, rows []Rollout, reason arrow.DataType) arrow.Record {
	t.Helper()
	rec, err := Rollouts().Encode(mem, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	n := int(rec.NumCols())
	fields, cols := make([]arrow.Field, 0, n+1), make([]arrow.Array, 0, n+1)
	for i := n - 1; i >= 0; i-- {
		f, c := rec.Schema().Field(i), rec.Column(i)
		f.Nullable = true
		c.Retain()
		switch {
		case f.Name == "finish_reason":
			c.Release()
			b := array.NewBuilder(mem, reason)
			for _, r := range rows {
				if err := b.AppendValueFromString(r.FinishReason); err != nil {
					t.Fatal(err)
				}
			}
			c = b.NewArray()
			b.Release()
			f.Type = reason
		case f.Type.ID() == arrow.LIST:
			f.Type = arrow.ListOfField(arrow.Field{Name: "element", Type: f.Type.(*arrow.ListType).Elem()})
			d := array.NewData(f.Type, c.Len(), c.Data().Buffers(), c.Data().Children(), c.NullN(), c.Data().Offset())
			c.Release()
			c = array.MakeFromData(d)
			d.Release()
		}
		fields, cols = append(fields, f), append(cols, c)
	}
	b := array.NewNullBuilder(mem)
	for range rows {
		b.AppendNull()
	}
	cols = append(cols, b.NewArray())
	b.Release()
	fields = append(fields, arrow.Field{Name: "note", Type: arrow.Null, Nullable: true})
	out := array.NewRecord(arrow.NewSchema(fields, metadataOf(KindRollouts)), cols, int64(len(rows)))
	for _, c := range cols {
		c.Release()
	}
	return out
}

func TestForeignRecords(t *testing.T) {
	rows := []Rollout{someRollout(), someRollout(), someRollout()}
	rows[0].FinishReason, rows[2].FinishReason = FinishStop, FinishError
	rows[1].CompletionIDs, rows[1].LogProbs = []int32{}, []float32{}
	for _, reason := range []arrow.DataType{
		arrow.BinaryTypes.String,
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.BinaryTypes.String},
	} {
		t.Run(reason.String(), func(t *testing.T) {
			mem := checked(t)
			rec := foreign(t, mem, rows, reason)
			defer rec.Release()
			got, err := Rollouts().Decode(rec)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, rows) {
				t.Errorf("decode: got %+v", got)
			}
			same, err := Conform(rec, KindRollouts)
			if err != nil {
				t.Fatal(err)
			}
			defer same.Release()
			own, err := Rollouts().Encode(mem, rows)
			if err != nil {
				t.Fatal(err)
			}
			defer own.Release()
			if !same.Schema().Equal(own.Schema()) || !array.RecordEqual(same, own) {
				t.Errorf("conformed record is not what Encode makes:\n%v\n%v", same, own)
			}
		})
	}
}

func TestScoredReadAsRollouts(t *testing.T) {
	mem := checked(t)
	rows := someScored()
	rec, err := ScoredRollouts().Encode(mem, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	plain, err := Conform(rec, KindRollouts)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Release()
	if kind, err := KindOf(plain.Schema()); kind != KindRollouts || err != nil || plain.NumCols() != 15 {
		t.Errorf("conformed to %q with %d columns, %v", kind, plain.NumCols(), err)
	}
	got, err := Rollouts().Decode(plain)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if !reflect.DeepEqual(got[i], rows[i].Rollout) {
			t.Errorf("row %d: %+v", i, got[i])
		}
	}
}

func TestDecodeRefusesNulls(t *testing.T) {
	for _, name := range []string{"problem_id", "sample", "logprobs", "finish_reason", "temperature"} {
		t.Run(name, func(t *testing.T) {
			mem := checked(t)
			rec, err := Rollouts().Encode(mem, []Rollout{someRollout(), someRollout()})
			if err != nil {
				t.Fatal(err)
			}
			defer rec.Release()
			at := rec.Schema().FieldIndices(name)[0]
			b := array.NewBuilder(mem, rec.Schema().Field(at).Type)
			defer b.Release()
			if err := b.AppendValueFromString(rec.Column(at).ValueStr(0)); err != nil {
				t.Fatal(err)
			}
			b.AppendNull()
			col := b.NewArray()
			defer col.Release()
			holed, err := rec.SetColumn(at, col)
			if err != nil {
				t.Fatal(err)
			}
			defer holed.Release()
			_, err = Rollouts().Decode(holed)
			_, err2 := Conform(holed, KindRollouts)
			for _, err := range []error{err, err2} {
				if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), `row 1: column "`+name+`"`) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestDecodeRefusesNullElements(t *testing.T) {
	mem := checked(t)
	rec, err := Problems().Encode(mem, make([]Problem, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	with := func(name, first, second string) error {
		at := rec.Schema().FieldIndices(name)[0]
		b := array.NewBuilder(mem, rec.Schema().Field(at).Type)
		defer b.Release()
		for _, s := range []string{first, second} {
			if err := b.AppendValueFromString(s); err != nil {
				t.Fatal(err)
			}
		}
		col := b.NewArray()
		defer col.Release()
		changed, err := rec.SetColumn(at, col)
		if err != nil {
			t.Fatal(err)
		}
		defer changed.Release()
		_, err = Problems().Decode(changed)
		return err
	}
	for _, c := range []struct{ name, first, second, want string }{
		{"prompt_ids", "[1]", "[1,null]", `row 1: column "prompt_ids": unexpected value: null inside the value: element 1`},
		{"metadata", `[{"key":"a","value":"b"}]`, `[{"key":"a","value":null}]`, `row 1: column "metadata": unexpected value: null inside the value: key "a"`},
		{"metadata", `[]`, `[{"key":"a","value":"x"},{"key":"a","value":"y"}]`, `row 1: column "metadata": unexpected value: key "a" occurs twice`},
	} {
		if err := with(c.name, c.first, c.second); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
