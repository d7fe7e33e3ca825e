package reward

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	params := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, tc := range []struct {
		specs []string
		want  []Weighted
	}{
		{[]string{"accuracy:1,format=0.1", " tag_count = -2 ", "think_closed"}, []Weighted{{Name: "accuracy", Weight: 1}, {Name: "format", Weight: 0.1}, {Name: "tag_count", Weight: -2}, {Name: "think_closed", Weight: 1}}},
		{[]string{"cosine=2:max_len=3584,min_correct=0.5"}, []Weighted{{Name: "cosine", Weight: 2, Params: params("max_len", "3584", "min_correct", "0.5")}}},
		// A list that was divided at its commas is the same.
		{[]string{"cosine=2:max_len=3584", "min_correct=0.5"}, []Weighted{{Name: "cosine", Weight: 2, Params: params("max_len", "3584", "min_correct", "0.5")}}},
		{[]string{"cosine:max_len=9,format=0.1,accuracy"}, []Weighted{{Name: "cosine", Weight: 1, Params: params("max_len", "9")}, {Name: "format", Weight: 0.1}, {Name: "accuracy", Weight: 1}}},
		{[]string{"language:script=han", "cosine:max_len=9"}, []Weighted{{Name: "language", Weight: 1, Params: params("script", "han")}, {Name: "cosine", Weight: 1, Params: params("max_len", "9")}}},
		{[]string{"exec:python3 a.py --x=1,2", "accuracy"}, []Weighted{{Name: "exec", Weight: 1, Command: "python3 a.py --x=1,2"}, {Name: "accuracy", Weight: 1}}},
		{[]string{"exec/brevity=-0.5: sh -c 'a:b' "}, []Weighted{{Name: "exec/brevity", Weight: -0.5, Command: "sh -c 'a:b'"}}},
	} {
		got, err := Parse(tc.specs...)
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", tc.specs, got, err, tc.want)
		}
		var again []string
		for _, w := range got {
			again = append(again, w.String())
		}
		if back, err := Parse(again...); err != nil || !reflect.DeepEqual(back, tc.want) {
			t.Errorf("Parse(%q) = %+v, %v", again, back, err)
		}
	}
	for _, tc := range []struct {
		says  string
		specs []string
	}{
		{`did you mean "accuracy"`, []string{"acuracy"}}, {`did you mean "format"`, []string{"Formt=2"}}, {`did you mean "tag_count"`, []string{"tags_count"}},
		{"given twice", []string{"format", "format=2"}}, {"expected a number", []string{"format=x"}}, {"expected a number", []string{"format="}},
		{"finite", []string{"format=inf"}}, {"finite", []string{"format=NaN"}}, {"empty name", []string{"format,"}}, {"empty name", []string{""}}, {"no reward function", nil},
		{"no reward function", []string{"=1"}},
		{`did you mean "max_len"`, []string{"cosine:maxlen=5"}}, {`did you mean "format"`, []string{"cosine:max_len=5,formt=2"}}, {"given twice", []string{"cosine:max_len=5,max_len=6"}},
		{"which has none", []string{"accuracy:max_len=5"}}, {"expected a number", []string{"cosine:max_len"}}, {"expected a number from 1", []string{"cosine:max_len=0"}},
		{"expected a number from", []string{"cosine:max_len=NaN"}}, {"expected an integer", []string{"repetition_penalty:ngram_size=1.5"}}, {"expected a number from", []string{"repetition_penalty:max_penalty=1"}},
		{`did you mean "latin"`, []string{"language:script=latn"}}, {"is more than", []string{"soft_overlong_punishment:max_completion_len=5"}},
		{"expected exec:COMMAND", []string{"exec"}}, {"expected exec:COMMAND", []string{"exec:"}}, {"one by one", []string{"accuracy,exec:cat"}}, {"given twice", []string{"exec:cat", "exec:dog"}},
		{"expected exec/NAME", []string{"exec/a b:cat"}}, {"expected a number", []string{"exec=x:cat"}},
	} {
		if got, err := Parse(tc.specs...); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("Parse(%q) = %v, %v, want an error with %q", tc.specs, got, err, tc.says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("accuracy=1,format:0.1")
	f.Add("tag_count")
	f.Add("cosine=2:max_len=3584,min_correct=0.5")
	f.Add("exec/x=1:cat a,b")
	f.Fuzz(func(t *testing.T, spec string) {
		got, err := Parse(spec)
		if (err == nil) != (len(got) > 0) || err != nil && !errors.Is(err, ErrConfig) {
			t.Fatalf("Parse(%q) = %v, %v", spec, got, err)
		}
		for _, w := range got {
			if math.IsNaN(w.Weight) || math.IsInf(w.Weight, 0) {
				t.Errorf("Parse(%q): weight %v", spec, w.Weight)
			}
			if again, err := Parse(w.String()); err != nil || len(again) != 1 || !reflect.DeepEqual(again[0], w) {
				t.Errorf("Parse(%q) = %+v, %v, want %+v", w.String(), again, err, w)
			}
		}
	})
}
