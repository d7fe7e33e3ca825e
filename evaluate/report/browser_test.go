package report

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"openrs/schemas"
)

func unpacked(t *testing.T, b browser) browserData {
	t.Helper()
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(b.Data)))
	if err != nil {
		t.Fatal(err)
	}
	var d browserData
	if err := json.NewDecoder(zip).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

func packedSamples(t *testing.T, r *Report) (browser, browserData) {
	t.Helper()
	b, err := r.browser()
	if err != nil {
		t.Fatal(err)
	}
	return b, unpacked(t, b)
}

func TestSamplesOfThePage(t *testing.T) {
	inputs := study(t, 0.1)
	r := mustBuild(t, inputs, Options{})
	b, d := packedSamples(t, r)
	n := 0
	for _, in := range inputs {
		n += len(in.Rows)
	}
	for _, length := range []int{len(d.Model), len(d.Problem), len(d.Sample), len(d.Outcome), len(d.Reason), len(d.Extracted), len(d.Tokens), len(d.Cut), len(d.Seed), len(d.Version), len(d.Text), len(d.Left), b.Shown} {
		if length != n {
			t.Fatalf("a column has %d entries, want %d", length, n)
		}
	}
	if len(d.Models) != 3 || len(d.Tasks) != 4 || len(d.Problems) != 3+4+50+28 || len(d.Seeds) != 1 || d.Seeds[0] != "9223372036854775765" {
		t.Errorf("%d models, %d tasks, %d problems, seeds %v", len(d.Models), len(d.Tasks), len(d.Problems), d.Seeds)
	}
	for i := range d.Text {
		p := d.Problems[d.Problem[i]]
		if d.Left[i] != 0 || d.Outcome[i] == outcomeRight && d.Extracted[i] == nil || p.Task < 0 || p.Text == "" {
			t.Fatalf("sample %d: %+v", i, p)
		}
	}
	if !strings.HasPrefix(b.Note, "All ") {
		t.Errorf("note: %s", b.Note)
	}
}

func TestSamplesFitIntoTheRoom(t *testing.T) {
	var rows []schemas.Scored
	for p := range 40 {
		for s := range 2 {
			r := row("p"+string(rune('a'+p)), int32(s), yes(), 3)
			r.Completion = strings.Repeat("é", 100*p*(s+1)) + "end"
			rows = append(rows, r)
		}
	}
	total := 0
	for _, r := range rows {
		total += len(r.Completion)
	}
	for _, c := range []struct {
		room          int
		whole, cut    bool
		leastProblems int
	}{{total, true, false, 40}, {total / 2, true, true, 40}, {30_000, false, true, 5}, {1, false, true, 1}} {
		r := mustBuild(t, []Input{{"m", rows}}, Options{PageText: c.room})
		b, d := packedSamples(t, r)
		sum, cut := 0, 0
		for i, text := range d.Text {
			sum += len(text)
			cut += min(1, d.Left[i])
			if !strings.HasSuffix(text, "end") || !utf8.ValidString(text) {
				t.Fatalf("room %d: text %.20q…%q", c.room, text, text[len(text)-5:])
			}
		}
		if c.room > 1 && sum > c.room+cut*60 {
			t.Errorf("room %d: %d bytes", c.room, sum)
		}
		if (b.Shown == len(rows)) != c.whole || len(d.Problems) < c.leastProblems {
			t.Errorf("room %d: %d of %d samples, %d problems", c.room, b.Shown, len(rows), len(d.Problems))
		}
		if strings.Contains(b.Note, "left out") != (cut > 0) || strings.Contains(b.Note, "at random") == c.whole {
			t.Errorf("room %d, %d cut: %s", c.room, cut, b.Note)
		}
		again, _ := packedSamples(t, mustBuild(t, []Input{{"m", rows}}, Options{PageText: c.room}))
		if again.Data != b.Data {
			t.Errorf("room %d: packed again, it differs", c.room)
		}
	}
	none := mustBuild(t, []Input{{"m", rows}}, Options{PageText: -1})
	page := pageOf(t, none)
	checkScripts(t, page, false)
	if strings.Contains(page, `id="samples"`) {
		t.Error("samples are on a page that was to have none")
	}
}

func TestForestScales(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		zero      bool
		want      string
	}{
		{0.301, 0.52, false, "30 35 40 45 50 55"}, {0, 1, false, "0 20 40 60 80 100"}, {0.82, 0.83, false, "70 75 80 85 90 95"},
		{-0.03, 0.08, true, "−10 −5 0 +5 +10 +15"}, {math.NaN(), math.NaN(), false, "0 20 40 60 80 100"}, {0.5, 0.5, true, "0 +10 +20 +30 +40 +50"},
	} {
		f := forest{Zero: c.zero, Rows: []forestRow{{mean: (c.low + c.high) / 2, low: c.low, high: c.high}}}
		from := 0.0
		if c.zero {
			from = -1
		}
		f.scale(0.16, from, 1)
		var labels []string
		for _, tick := range f.Ticks {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v to %v: got %s, want %s", c.low, c.high, got, c.want)
		}
		if f.Ticks[0].At != "0.00%" || f.Ticks[len(f.Ticks)-1].At != "100.00%" {
			t.Errorf("the ends are not marked: %+v", f.Ticks)
		}
		if row := f.Rows[0]; !math.IsNaN(c.low) && (row.Dot == "" || strings.HasPrefix(row.Left, "-") || strings.HasPrefix(row.Width, "-")) {
			t.Errorf("%+v", row)
		}
	}
}
