package answer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golds reads every gold answer of the data sets: strings, numbers and lists of strings.
func golds(t *testing.T) map[string][]string {
	dir := os.Getenv("OPENRS_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json*"))
	if len(files) == 0 {
		t.Skipf("no data sets in %s", dir)
	}
	out := map[string][]string{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var rows []map[string]any
		if strings.HasSuffix(path, ".json") {
			if err := json.Unmarshal(text, &rows); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		} else {
			lines := bufio.NewScanner(strings.NewReader(string(text)))
			lines.Buffer(nil, 1<<22)
			for lines.Scan() {
				row := map[string]any{}
				if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				rows = append(rows, row)
			}
		}
		name := filepath.Base(path)
		for _, row := range rows {
			answer, ok := row["answer"]
			if final, has := row["final_answer"]; has {
				answer, ok = final, true
			}
			if !ok {
				t.Fatalf("%s: a row without answer", path)
			}
			switch a := answer.(type) {
			case string:
				out[name] = append(out[name], a)
			case float64:
				out[name] = append(out[name], fmt.Sprint(a))
			case []any:
				for _, s := range a {
					out[name] = append(out[name], s.(string))
				}
			case nil: // one problem of MATH's training part has none
			default:
				t.Fatalf("%s: answer %v", path, answer)
			}
		}
	}
	return out
}

// unreadableGolds are the gold answers of the data sets that can't be read, with the reason.
var unreadableGolds = map[string]string{"": "empty: two problems of MATH's training part"}

// TestGolds: every gold answer of the data sets can be read and equals itself, as it is and in a box,
// in a formula, with other spacing, and with brackets that are sized or not.
func TestGolds(t *testing.T) {
	for name, list := range golds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := 0
			for _, gold := range list {
				reason, known := unreadableGolds[gold]
				g, err := ReadGold(gold, Benchmark())
				if (err != nil) != known {
					bad++
					t.Errorf("gold %q: %v, expected %q", gold, err, reason)
					continue
				}
				if known {
					continue
				}
				bare := gold
				if at := strings.LastIndex(bare, "####"); at >= 0 {
					bare = strings.TrimSpace(bare[at+4:])
				}
				texts := []string{bare, `\boxed{` + bare + `}`}
				if !strings.Contains(bare, "$") {
					texts = append(texts, "the answer is $"+bare+"$.", `\boxed{ `+strings.ReplaceAll(bare, " ", "  ")+" }")
				}
				if !strings.Contains(bare, `\left`) && strings.Count(bare, "(") == 1 && strings.Count(bare, ")") == 1 && !strings.Contains(bare, `\text`) {
					texts = append(texts, `\boxed{`+strings.NewReplacer("(", `\left(`, ")", `\right)`).Replace(bare)+`}`)
				}
				if strings.Contains(bare, `\left`) && !strings.Contains(bare, `\left.`) && !strings.Contains(bare, `\right.`) && !strings.Contains(bare, `\left|`) && !strings.Contains(bare, `\lefta`) && !strings.Contains(bare, `\rightarrow`) {
					texts = append(texts, `\boxed{`+strings.NewReplacer(`\left`, "", `\right`, "").Replace(bare)+`}`)
				}
				for i, text := range texts {
					v := g.Verify(text)
					if i == 0 {
						v = g.Equal(text)
					}
					if !v.Equal {
						bad++
						t.Errorf("gold %q, read as %q, text %q: %+v", gold, g, text, v)
					}
				}
			}
			t.Logf("%d gold answers, %d failures", len(list), bad)
		})
	}
}
