package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"openrs/schemas"
)

// ReadMetrics reads a metrics file, or all files of a run's folder that are
// called metrics.jsonl or metrics-STAGE.jsonl. The files are JSON lines with
// time, stage, step, name and value. A value of null, or one of the strings
// that encoders write for what JSON can't hold ("NaN", "Infinity", "-Inf"), is
// NaN or infinite. The last line may be cut short (the writer may be running,
// or was killed); any other line that can't be read is an error. A folder
// without such files has no metrics.
func ReadMetrics(path string) ([]schemas.Metric, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return readMetricsFile(path)
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, err
	}
	var all []schemas.Metric
	for _, e := range entries {
		stage, ok := strings.CutSuffix(e.Name(), ".jsonl")
		if !ok || e.IsDir() || stage != "metrics" && !strings.HasPrefix(stage, "metrics-") {
			continue
		}
		metrics, err := readMetricsFile(filepath.Join(path, e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, metrics...)
	}
	return all, nil
}

func readMetricsFile(path string) ([]schemas.Metric, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	metrics, err := decodeMetrics(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return metrics, nil
}

func decodeMetrics(r io.Reader) ([]schemas.Metric, error) {
	var metrics []schemas.Metric
	in := bufio.NewReader(r)
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		complete := err == nil
		if text = bytes.TrimSpace(text); len(text) > 0 {
			m, bad := decodeMetric(text)
			switch {
			case bad == nil:
				metrics = append(metrics, m)
			case complete:
				return nil, fmt.Errorf("line %d: want a metric: %w", line, bad)
			}
		}
		if !complete {
			return metrics, nil
		}
	}
}

func decodeMetric(text []byte) (schemas.Metric, error) {
	var m struct {
		Time  string          `json:"time"`
		Stage string          `json:"stage"`
		Step  *int64          `json:"step"`
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return schemas.Metric{}, err
	}
	if m.Name == "" || m.Step == nil {
		return schemas.Metric{}, errors.New("name or step is missing")
	}
	out := schemas.Metric{Stage: m.Stage, Step: *m.Step, Name: m.Name, Value: math.NaN()}
	if m.Time != "" {
		// Only the order in the file matters here; a time in another form is
		// not worth failing for.
		out.Time, _ = time.Parse(time.RFC3339Nano, m.Time)
	}
	if v := strings.Trim(string(m.Value), `"`); v != "" && v != "null" {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return schemas.Metric{}, fmt.Errorf("value %s is not a number", m.Value)
		}
		out.Value = f
	}
	return out, nil
}

// curve is one metric over the steps of a run.
type curve struct {
	Stage, Name string
	Steps       []int64
	Values      []float64 // as measured; may be NaN or infinite
}

// curves sorts metrics into curves by stage and name, each in order of step.
// A step measured twice (a run that was resumed) counts with its last value.
func curves(metrics []schemas.Metric) []curve {
	type key struct{ stage, name string }
	at := make(map[key]map[int64]float64)
	var keys []key
	for _, m := range metrics {
		k := key{m.Stage, m.Name}
		if at[k] == nil {
			at[k] = make(map[int64]float64)
			keys = append(keys, k)
		}
		at[k][m.Step] = m.Value
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.stage, b.stage)) })
	var out []curve
	for _, k := range keys {
		c := curve{Stage: k.stage, Name: k.name}
		for step := range at[k] {
			c.Steps = append(c.Steps, step)
		}
		slices.Sort(c.Steps)
		for _, s := range c.Steps {
			c.Values = append(c.Values, at[k][s])
		}
		out = append(out, c)
	}
	return out
}

// find returns the first of the named metrics that there is. The same name
// from several stages is taken from update, which measures training, before
// the others.
func find(all []curve, names ...string) *curve {
	for _, name := range names {
		var found *curve
		for i := range all {
			if c := &all[i]; c.Name == name && (found == nil || c.Stage == "update") {
				found = c
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// finite returns the points that can be drawn and how many can't: those that
// are not finite, or so large that the arithmetic of a chart would overflow.
func (c *curve) finite() (points [][2]float64, left int) {
	for i, v := range c.Values {
		if math.IsNaN(v) || math.Abs(v) > 1e100 {
			left++
			continue
		}
		points = append(points, [2]float64{float64(c.Steps[i]), v})
	}
	return points, left
}

// window is the number of points that a running mean takes in: a tenth of
// them, odd, 3 to 51; 1, which is no mean at all, where points are few.
func window(n int) int {
	if n < 12 {
		return 1
	}
	return min(max(n/10, 3), 51) | 1
}

// runningMean is the mean of each point with as many neighbours on either
// side, w points in all. Towards the ends, where one side has fewer, so does
// the other: a window that hangs over the end of a rising curve would bend it.
// The last few points keep three neighbours, or their noise would show.
func runningMean(points [][2]float64, w int) [][2]float64 {
	out := make([][2]float64, len(points))
	for i := range points {
		half := max(min(w/2, i, len(points)-1-i), min(3, w/2))
		lo, hi := max(0, i-half), min(len(points), i+half+1)
		sum := 0.0
		for _, p := range points[lo:hi] {
			sum += p[1]
		}
		out[i] = [2]float64{points[i][0], sum / float64(hi-lo)}
	}
	return out
}
