package pipelines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every process of a run and the server are killed at random moments and started again with the same
// command line. The run ends with the same weights, checkpoints and rollouts as an undisturbed one.
func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	for i, p := range []plan{
		long(0, 1, 1), long(0, 2, 2), long(1, 1, 1), long(1, 2, 1),
		long(0, 1, 1).with("update", "--checkpoint-every", "5"), // goes back further than policies are kept
	} {
		t.Run(fmt.Sprintf("seed %d, lag %d, %d generate, %d score", i, p.lag, p.generators, p.scorers), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(i), 9))
			r := newRun(t, p.with("update", "--resume").with("generate", "--ack-wait", "1s").with("score", "--ack-wait", "1s"))
			r.disturb(rng)
			want, got := reference(t, p), r.outcome()
			if p.more != nil { // checkpoints at other steps
				want, got = want.withoutCheckpoints(), got.withoutCheckpoints()
			}
			want.same(t, got)
			r.tidy()
		})
	}
}

func (o outcome) withoutCheckpoints() outcome {
	o.files = maps.Clone(o.files)
	maps.DeleteFunc(o.files, func(path, _ string) bool { return strings.HasPrefix(path, "checkpoints/") })
	return o
}

// tidy fails the test if the run's folder has anything in it that the killed have left half written.
func (r *run) tidy() {
	r.t.Helper()
	policies := 0
	for name := range hashes(r.t, r.path()) {
		folder, _, _ := strings.Cut(name, "/")
		switch {
		case strings.Contains(name, ".tmp"):
			r.t.Errorf("%s was left behind", name)
		case folder == "policies":
			policies++
		case folder != "model" && folder != "checkpoints" && name != "metrics-update.jsonl" && name != "metrics-generate.jsonl":
			r.t.Errorf("%s: not expected in a run's folder", name)
		}
	}
	if want := r.plan.lag + 2; policies > want {
		r.t.Errorf("%d policies are kept, at most %d expected", policies, want)
	}
}

// long is small with more steps.
func long(lag, generators, scorers int) plan {
	p := small(lag)
	p.steps, p.generators, p.scorers = 12, generators, scorers
	return p
}

// disturb is train with kills.
func (r *run) disturb(rng *rand.Rand) {
	r.t.Helper()
	// curate is done before the first step: it is killed while it is alone.
	for range 5 {
		p := r.start("curate")
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		p.kill()
	}
	running := map[string]*process{"curate": r.start("curate"), "update": r.start("update")}
	for i := range r.plan.generators {
		running["generate "+strconv.Itoa(i)] = r.start("generate")
	}
	for i := range r.plan.scorers {
		running["score "+strconv.Itoa(i)] = r.start("score")
	}
	victims := []string{"generate 0", "generate 0", "score 0", "score 0", "update", "update", "update", "server", "server"}
	rng.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	for i, victim := range victims {
		r.awaitStep(i*(r.plan.steps-2)/len(victims), running)
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		away := time.Duration(rng.IntN(150)) * time.Millisecond
		if victim == "server" {
			r.server.kill()
			time.Sleep(away)
			r.server.restart()
			continue
		}
		running[victim].kill()
		time.Sleep(away)
		binary, _, _ := strings.Cut(victim, " ")
		running[victim] = r.start(binary)
	}
	var all []*process
	for _, p := range running {
		all = append(all, p)
	}
	finish(r.t, all...)
}

// awaitStep waits until update has done so many steps.
func (r *run) awaitStep(steps int, running map[string]*process) {
	r.t.Helper()
	for began := time.Now(); r.steps() < steps; time.Sleep(5 * time.Millisecond) {
		for _, p := range running {
			if p.exited() && p.status() != 0 {
				p.ok()
			}
		}
		if time.Since(began) > patience {
			for _, p := range running {
				r.t.Logf("%s\n%s", p.line, p.tail())
			}
			r.t.Fatalf("after %s %d steps are done, want %d", patience, r.steps(), steps)
		}
	}
}

// steps is how many steps update has done, by its metrics file.
func (r *run) steps() int {
	data, err := os.ReadFile(r.path("metrics-update.jsonl"))
	if err != nil {
		return 0
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	var last struct{ Step int }
	if json.Unmarshal(lines[len(lines)-1], &last) != nil {
		return 0
	}
	return last.Step + 1
}

// What evaluate writes appears whole or not at all, and what was there before stays whole until then.
func TestEvaluateKilledWhileWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, `
		evaluate problems --n 100 --samples 2 --out p.arrow
		generate --model shape:tiny --max-new-tokens 2 --in p.arrow | score --out s.arrow
		mkdir out`)
	for _, c := range []struct {
		line string
		out  []string
	}{
		{"evaluate problems --n 2000 --out out/p.jsonl", []string{"p.jsonl"}},
		{"evaluate problems --n 2000 --out out/p.arrow", []string{"p.arrow"}},
		{"evaluate problems --n 2000 --out out/p.parquet", []string{"p.parquet"}},
		{"evaluate report --in a=s.arrow --out-dir out", []string{"report.json", "report.html"}},
	} {
		words := strings.Fields(c.line)
		began := time.Now()
		command(t, dir, words[0], words[1:]...)
		takes := time.Since(began)
		whole := hashes(t, filepath.Join(dir, "out"))
		rng := rand.New(rand.NewPCG(4, 2))
		for i := range 8 {
			for _, name := range c.out {
				path := filepath.Join(dir, "out", name)
				if i%2 == 0 {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				} else if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p := start(t, dir, nil, words[0], words[1:]...)
			time.Sleep(time.Duration(rng.Int64N(int64(takes))))
			p.kill()
			for _, name := range c.out {
				path := filepath.Join(dir, "out", name)
				data, err := os.ReadFile(path)
				switch {
				case os.IsNotExist(err) && i%2 == 0:
				case err != nil:
					t.Errorf("%s killed: %v", c.line, err)
				case string(data) == "old" && i%2 == 1:
				case hashes(t, filepath.Dir(path))[name] != whole[name]:
					t.Errorf("%s killed: %s has %d bytes that are neither the old file nor the new", c.line, name, len(data))
				}
			}
			command(t, dir, words[0], words[1:]...) // for the next round
		}
	}
}
