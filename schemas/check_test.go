package schemas

import (
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

func TestSchemasAreTheContract(t *testing.T) {
	want := map[Kind]string{
		KindProblems: "problem_id utf8, source utf8, problem utf8, solution utf8?, answer utf8, " +
			"prompt_ids list<item: int32, nullable>?, difficulty float32?, metadata map<utf8, utf8, items_nullable>?",
		KindRollouts: rolloutContract,
		KindScored: rolloutContract + ", rewards map<utf8, float32, items_nullable>, reward float32?, advantage float32, " +
			"correct bool?, extracted utf8?",
		KindMetrics: "time timestamp[us, tz=UTC], stage utf8, step int64, name utf8, value float64",
	}
	for _, kind := range Kinds() {
		schema, err := Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range schema.Fields() {
			s := f.Name + " " + f.Type.String()
			if f.Nullable {
				s += "?"
			}
			got = append(got, s)
		}
		if s := strings.Join(got, ", "); s != want[kind] {
			t.Errorf("%s:\ngot  %s\nwant %s", kind, s, want[kind])
		}
		if k, err := KindOf(schema); k != kind || err != nil {
			t.Errorf("KindOf = %q, %v", k, err)
		}
	}
}

const rolloutContract = "group_id utf8, problem_id utf8, source utf8, problem utf8, answer utf8, sample int32, step int64, " +
	"policy_version int64, prompt_ids list<item: int32, nullable>, completion_ids list<item: int32, nullable>, " +
	"logprobs list<item: float32, nullable>, completion utf8, " +
	"finish_reason dictionary<values=utf8, indices=int32, ordered=false>, temperature float32, seed int64"

func TestCheck(t *testing.T) {
	metrics := Metrics().Schema()
	change := func(i int, f arrow.Field) *arrow.Schema {
		fields := append([]arrow.Field(nil), metrics.Fields()...)
		fields[i] = f
		meta := metrics.Metadata()
		return arrow.NewSchema(fields, &meta)
	}
	meta := func(pairs ...string) *arrow.Schema {
		m := arrow.MetadataFrom(map[string]string{})
		var keys, values []string
		for i := 0; i < len(pairs); i += 2 {
			keys, values = append(keys, pairs[i]), append(values, pairs[i+1])
		}
		m = arrow.NewMetadata(keys, values)
		return arrow.NewSchema(metrics.Fields(), &m)
	}
	zone := func(z string) *arrow.Schema {
		return change(0, arrow.Field{Name: "time", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: z}})
	}
	for name, c := range map[string]struct {
		schema *arrow.Schema
		want   Kind
		err    error
		text   string
	}{
		"same":              {metrics, KindMetrics, nil, ""},
		"scored":            {ScoredRollouts().Schema(), KindRollouts, nil, ""},
		"offset zone":       {zone("+00:00"), KindMetrics, nil, ""},
		"rollouts unscored": {Rollouts().Schema(), KindScored, ErrKind, "found rollouts, want scored"},
		"other kind":        {metrics, KindProblems, ErrKind, "found metrics, want problems"},
		"no such kind":      {metrics, "answers", ErrKind, `"answers"`},
		"no metadata":       {arrow.NewSchema(metrics.Fields(), nil), KindMetrics, ErrKind, MetadataKind},
		"unknown kind":      {meta(MetadataKind, "x", MetadataVersion, "1"), KindMetrics, ErrKind, `"x"`},
		"no version":        {meta(MetadataKind, "metrics"), KindMetrics, ErrVersion, MetadataVersion},
		"newer":             {meta(MetadataKind, "metrics", MetadataVersion, "2"), KindMetrics, ErrVersion, "is 2, newer than the 1"},
		"bad version":       {meta(MetadataKind, "metrics", MetadataVersion, "one"), KindMetrics, ErrVersion, `"one"`},
		"version zero":      {meta(MetadataKind, "metrics", MetadataVersion, "0"), KindMetrics, ErrVersion, `"0"`},
		"missing":           {change(3, arrow.Field{Name: "label", Type: arrow.BinaryTypes.String}), KindMetrics, ErrColumn, `"name" (utf8) is missing`},
		"mistyped":          {change(2, arrow.Field{Name: "step", Type: arrow.PrimitiveTypes.Int32}), KindMetrics, ErrColumn, `"step" is int32, want int64`},
		"twice":             {change(3, arrow.Field{Name: "stage", Type: arrow.BinaryTypes.String}), KindMetrics, ErrColumn, `"stage" occurs 2 times`},
		"local time":        {zone("Europe/Zurich"), KindMetrics, ErrColumn, `"time"`},
		"no zone":           {zone(""), KindMetrics, ErrColumn, `"time"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(c.schema, c.want)
			if c.err == nil && err != nil {
				t.Errorf("got %v, want none", err)
			}
			if c.err != nil && (!errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text)) {
				t.Errorf("got %v, want %v with %q", err, c.err, c.text)
			}
		})
	}
}

func TestProblemIDIsInjective(t *testing.T) {
	seen := map[string]string{}
	for _, p := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"a\x00", "b"}, {"a", "\x00b"}} {
		id := ProblemID(p[0], p[1])
		if len(id) != 32 {
			t.Errorf("ProblemID(%q) = %q, want 32 characters", p, id)
		}
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %q have the same id", p, other)
		}
		seen[id] = p[0] + "|" + p[1]
	}
	if got := ProblemID("synth", "1+1"); got != ProblemID("synth", "1+1") {
		t.Error("not a function of its input")
	}
}

func TestGroupRanges(t *testing.T) {
	mem := checked(t)
	var rows []Rollout
	for _, g := range []string{"a", "a", "b", "a", "", ""} {
		rows = append(rows, Rollout{GroupID: g, FinishReason: FinishStop})
	}
	rec, err := Rollouts().Encode(mem, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	part := rec.NewSlice(1, 6)
	defer part.Release()
	got, err := GroupRanges(part)
	if err != nil {
		t.Fatal(err)
	}
	want := []Range{{"a", 0, 1}, {"b", 1, 2}, {"a", 2, 3}, {"", 3, 5}}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("range %d: got %v, want %v", i, got[i], want[i])
		}
	}
	metrics, err := Metrics().Encode(mem, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Release()
	if _, err := GroupRanges(metrics); !errors.Is(err, ErrColumn) {
		t.Errorf("metrics: got %v", err)
	}
}
