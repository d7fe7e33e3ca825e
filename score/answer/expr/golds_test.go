package expr

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readGolds reads the answers of the data sets next to the labelled answers.
func readGolds(t testing.TB) map[string][]string {
	dir := os.Getenv("OPENRS_DATA")
	if dir == "" {
		dir = "../../../../shared/data"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json*"))
	if len(files) == 0 {
		t.Skipf("no data sets in %s (set OPENRS_DATA)", dir)
	}
	golds := map[string][]string{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		type row struct {
			Answer      any   `json:"answer"`
			FinalAnswer []any `json:"final_answer"`
		}
		var rows []row
		if strings.HasSuffix(name, ".jsonl") {
			for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
				var r row
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				rows = append(rows, r)
			}
		} else if err := json.Unmarshal(data, &rows); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		base := filepath.Base(name)
		for _, r := range rows {
			values := r.FinalAnswer
			switch a := r.Answer.(type) {
			case string:
				values = append(values, a)
			case float64:
				b, _ := json.Marshal(a)
				values = append(values, string(b))
			case []any:
				values = append(values, a...)
			}
			for _, v := range values {
				if s, ok := v.(string); ok {
					if _, after, found := strings.Cut(s, "#### "); found {
						s = after
					}
					golds[base] = append(golds[base], s)
				}
			}
		}
	}
	return golds
}

// TestGolds reads every gold answer of the data sets, compares it with itself, with more white space,
// and with other delimiters.
func TestGolds(t *testing.T) {
	for name, golds := range readGolds(t) {
		bad, notation, texts, undecided := 0, 0, 0, 0
		for _, g := range golds {
			if strings.TrimSpace(g) == "" {
				continue // the data set has problems without an answer
			}
			v, err := Parse(g, Options{})
			if err != nil {
				bad++
				t.Errorf("%s: %q: %v", name, g, err)
				continue
			}
			switch v.Kind() {
			case KindNotation:
				notation++
				if testing.Verbose() {
					t.Logf("%s: as written: %q", name, g)
				}
			case KindText:
				texts++
			}
			for _, variant := range []string{g, "  " + g + " ", "$" + g + "$", strings.ReplaceAll(strings.ReplaceAll(g, `\left`, ""), `\right`, ""), strings.ReplaceAll(g, `\frac`, `\dfrac`), spaced(g), g + "."} {
				if strings.Contains(variant, `arrow`) {
					continue
				}
				w, err := Parse(variant, Options{})
				if err != nil {
					t.Errorf("%s: %q is read, %q not: %v", name, g, variant, err)
					continue
				}
				if r := Equal(v, w, Options{}); !r.Equal {
					undecided++
					t.Errorf("%s: %q and %q: %s; read %s %s, %s %s", name, g, variant, r.Reason, v.Kind(), v, w.Kind(), w)
				}
				if r := Equal(w, v, Options{}); !r.Equal {
					t.Errorf("%s: %q and %q in the other order: %s", name, variant, g, r.Reason)
				}
			}
		}
		t.Logf("%s: %d golds, %d unreadable, %d as written, %d text", name, len(golds), bad, notation, texts)
	}
}

// spaced puts spaces around operators outside of words.
func spaced(s string) string {
	if strings.Contains(s, `\text`) || strings.Contains(s, `\math`) || strings.Contains(s, `\operatorname`) {
		return s
	}
	return strings.NewReplacer("+", " + ", "=", " = ", "(", "( ", ")", " )", "{", "{ ", `\{`, `\{ `, `\}`, ` \}`, "}", " }").Replace(s)
}
