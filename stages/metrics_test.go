package stages

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"openrs/schemas"
)

// recorded reads a metrics file as "stage step name value".
func recorded(t *testing.T, path string) (out []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var m struct {
			Time  time.Time
			Stage string
			Step  int64
			Name  string
			Value float64
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if age := time.Since(m.Time); age < 0 || age > time.Minute {
			t.Errorf("%q is %v old", line, age)
		}
		out = append(out, fmt.Sprint(m.Stage, " ", m.Step, " ", m.Name, " ", m.Value))
	}
	return out
}

// In a run the values of a step go to a file and to the run's stream; what is not a number goes nowhere,
// and the log says so.
func TestRecorderInARun(t *testing.T) {
	s, run := server(t)
	ctx := within(t)
	var log bytes.Buffer
	want := []string{"score 3 reward 0.5", "score 3 loss -1.25", "score 4 reward 0.75"}
	var dir string
	has(t, inStage(t, ctx, func(env *Env) error {
		dir = env.RunDir()
		env.Log = logTo(&log)
		if _, err := env.Bus(ctx); err != nil {
			return err
		}
		r, err := env.Recorder(ctx, "")
		if err != nil {
			return err
		}
		if again, err := env.Recorder(ctx, ""); again != r || err != nil {
			t.Errorf("asked again: another recorder, %v", err)
		}
		r.Record(ctx, 3, []Value{{"reward", 0.5}, {"entropy", math.NaN()}, {"loss", -1.25}, {"grad_norm", math.Inf(1)}})
		r.Record(ctx, 4, []Value{{"reward", 0.75}})
		return nil
	}, run...))
	for _, name := range []string{"entropy", "grad_norm"} {
		if !strings.Contains(log.String(), `msg="metric is not a number" name=`+name+" step=3") {
			t.Errorf("the log does not mention %s: %s", name, log.String())
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d warnings, want 2: %s", n, log.String())
	}
	if got := recorded(t, filepath.Join(dir, "metrics-score.jsonl")); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the file has %q, want %q", got, want)
	}
	if n := messages(t, stream(t, s, "metrics")); n != 2 {
		t.Errorf("%d messages of metrics, want one a step", n)
	}
	var got []string
	has(t, inStage(t, ctx, func(env *Env) error {
		in, err := env.Replay(ctx, schemas.KindMetrics, 0)
		if err != nil {
			return err
		}
		defer in.Close()
		for len(got) < len(want) { // the stream has no end: several stages write to it
			d, err := in.Next(ctx)
			if err != nil {
				return err
			}
			rows, err := schemas.Metrics().Decode(d.Record)
			d.Record.Release()
			if err != nil {
				return err
			}
			for _, m := range rows {
				got = append(got, fmt.Sprint(m.Stage, " ", m.Step, " ", m.Name, " ", m.Value))
			}
		}
		return nil
	}, run...))
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the stream has %q, want %q", got, want)
	}
}

// Outside a run metrics go to the folder that the command names, behind what is there already.
func TestRecorderInAFolder(t *testing.T) {
	ctx, dir := within(t), filepath.Join(t.TempDir(), "out")
	for step := range int64(2) {
		has(t, inStage(t, ctx, func(env *Env) error {
			r, err := env.Recorder(ctx, dir)
			if err != nil {
				return err
			}
			r.Record(ctx, step, []Value{{"loss", float64(step)}})
			return nil
		}))
	}
	if got := recorded(t, filepath.Join(dir, "metrics-score.jsonl")); len(got) != 2 || got[1] != "score 1 loss 1" {
		t.Errorf("the file has %q", got)
	}
	has(t, inStage(t, ctx, func(env *Env) error {
		_, err := env.Recorder(ctx, filepath.Join(dir, "metrics-score.jsonl", "x"))
		return err
	}), "metrics file: ")
}

// A command has a file of its own: two words are joined as in its subjects.
func TestMetricsFileName(t *testing.T) {
	dir := t.TempDir()
	app := App("update", "", "", nil, nil, Command("update sft", "", LogFlags(), func(ctx context.Context, env *Env) error {
		_, err := env.Recorder(ctx, dir)
		return err
	}))
	if status, stderr := runApp(within(t), app, "sft"); status != 0 {
		t.Fatal(stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "metrics-update-sft.jsonl")); err != nil {
		t.Error(err)
	}
}

// Prometheus sees the newest value of each metric, while the command runs.
func TestMetricsServer(t *testing.T) {
	ctx := within(t)
	var log bytes.Buffer
	get := func(url string) (string, error) {
		client := http.Client{Timeout: 5 * time.Second}
		resp, err := client.Get(url)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	var url string
	has(t, inStage(t, ctx, func(env *Env) error {
		env.Log = logTo(&log)
		r, err := env.Recorder(ctx, t.TempDir())
		if err != nil {
			return err
		}
		r.Record(ctx, 1, []Value{{"completions/mean_length", 3}, {"loss", 1}})
		r.Record(ctx, 2, []Value{{"completions/mean_length", 4.5}, {"completions.mean_length", 9}, {"loss", math.NaN()}})
		if url = regexp.MustCompile(`http://[^\s"]+`).FindString(log.String()); url == "" {
			return errors.New("the log has no address: " + log.String())
		}
		text, err := get(url)
		for _, want := range []string{`openrs_completions_mean_length{stage="score"} 4.5`, `openrs_loss{stage="score"} 1`} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
		return err
	}, "--metrics-addr", "127.0.0.1:0"))
	if _, err := get(url); err == nil {
		t.Error("the server outlived its command")
	}
	has(t, inStage(t, ctx, func(env *Env) error {
		_, err := env.Recorder(ctx, "")
		return err
	}, "--metrics-addr", "nowhere"), "--metrics-addr nowhere: ")
}
