package process

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/score/reward"
)

// TestMain lets the test binary be the reward process: with the variable set it behaves as it says.
func TestMain(m *testing.M) {
	if how := os.Getenv("OPENRS_REWARD_HELPER"); how != "" {
		if err := help(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// help is a reward process: a completion's reward is its length in bytes. What it does wrong is in how.
func help(how string) error {
	in, err := ipc.NewReader(os.Stdin)
	if err != nil {
		return err
	}
	var typ arrow.DataType = arrow.PrimitiveTypes.Float32
	if how == "type" {
		typ = arrow.PrimitiveTypes.Float64
	}
	out := ipc.NewWriter(os.Stdout, ipc.WithSchema(schemaOf(typ)))
	fmt.Fprintln(os.Stderr, "ready")
	for in.Next() {
		rows, err := schemas.Rollouts().Decode(in.Record())
		if err != nil {
			return err
		}
		b := array.NewFloat32Builder(memory.DefaultAllocator)
		for i := range rows {
			switch {
			case how == "poison" && rows[i].Completion == "poison":
				return errors.New("poisoned")
			case how == "hang" && rows[i].Completion == "poison":
				time.Sleep(time.Hour)
			case how == "once" && rows[i].Completion == "poison":
				if flag := os.Getenv("OPENRS_REWARD_FLAG"); os.Remove(flag) == nil {
					return errors.New("the first time only")
				}
			}
			if rows[i].Completion == "null" {
				b.AppendNull()
			} else {
				b.Append(float32(len(rows[i].Completion)))
			}
		}
		if how == "short" {
			b.Append(0)
		}
		var values arrow.Array = b.NewArray()
		if how == "type" {
			d := array.NewFloat64Builder(memory.DefaultAllocator)
			d.AppendValues(make([]float64, len(rows)), nil)
			values = d.NewArray()
		}
		if how == "garbage" {
			os.Stdout.WriteString(strings.Repeat("not arrow ", 100))
			continue
		}
		if err := out.Write(array.NewRecord(schemaOf(typ), []arrow.Array{values}, int64(values.Len()))); err != nil {
			return err
		}
	}
	return in.Err()
}

func schemaOf(typ arrow.DataType) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: "length", Type: typ, Nullable: true}}, nil)
}

func group(completions ...string) *reward.Group {
	g := &reward.Group{}
	for i, c := range completions {
		g.Rollouts = append(g.Rollouts, schemas.Rollout{GroupID: "g", Sample: int32(i), Completion: c, FinishReason: schemas.FinishStop, Temperature: 1,
			PromptIDs: []int32{1}, CompletionIDs: make([]int32, len(c)), LogProbs: make([]float32, len(c))})
	}
	return g
}

// buffer is a log that a test may read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func helper(t *testing.T, how string, timeout time.Duration) (*Process, *buffer) {
	t.Helper()
	log := &buffer{}
	p := Start("OPENRS_REWARD_HELPER="+how+" "+os.Args[0], Options{Timeout: timeout, Log: slog.New(slog.NewTextHandler(log, nil))})
	t.Cleanup(func() { p.Close() })
	return p, log
}

func TestReward(t *testing.T) {
	p, log := helper(t, "well", 0)
	for n := range 20 {
		got, err := p.Reward(group("abc", strings.Repeat("x", 100_000*n), "null"))
		if err != nil || len(got) != 3 || got[0] != 3 || got[1] != float32(100_000*n) || !math.IsNaN(float64(got[2])) {
			t.Fatalf("group %d: %v, %v", n, got, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "says=ready") {
		t.Errorf("what the process says is not in the log: %s", log)
	}
}

// TestFailures: a process that fails on a group fails that group, and goes on with the others.
func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		how, says string
		err       error
	}{
		{"poison", "exit status 3", nil},
		{"hang", "no answer in time", ErrTimeout},
	} {
		t.Run(tc.how, func(t *testing.T) {
			p, _ := helper(t, tc.how, 3*time.Second)
			if tc.how == "hang" {
				p.opt.Timeout = 500 * time.Millisecond
			}
			for range 2 {
				if got, err := p.Reward(group("ab")); err != nil || got[0] != 2 {
					t.Fatalf("%v, %v", got, err)
				}
				_, err := p.Reward(group("a", "poison"))
				if err == nil || !strings.Contains(err.Error(), tc.says) || tc.err != nil && !errors.Is(err, tc.err) {
					t.Fatalf("error %v, want one about %q", err, tc.says)
				}
			}
			if p.Err() != nil {
				t.Error(p.Err())
			}
		})
	}
}

// TestSecondAttempt: a failure that does not come again costs nothing.
func TestSecondAttempt(t *testing.T) {
	flag := filepath.Join(t.TempDir(), "flag")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENRS_REWARD_FLAG", flag)
	p, log := helper(t, "once", 0)
	if got, err := p.Reward(group("poison")); err != nil || !slices.Equal(got, []float32{6}) {
		t.Errorf("%v, %v", got, err)
	}
	if !strings.Contains(log.String(), "reward process failed") {
		t.Errorf("no warning: %s", log)
	}
}

// TestGivenUp: what never works is given up after a bounded number of starts.
func TestGivenUp(t *testing.T) {
	for _, how := range []string{"type", "short", "garbage"} {
		t.Run(how, func(t *testing.T) {
			p, _ := helper(t, how, 0)
			if how == "garbage" { // it waits for the rest of a message
				p.opt.Timeout = 300 * time.Millisecond
			}
			var err error
			n := 0
			for ; p.Err() == nil && n < 100; n++ {
				if _, err = p.Reward(group("a")); err == nil {
					t.Fatal("no error")
				}
			}
			if n > MaxRestarts || !errors.Is(err, ErrGivenUp) || !errors.Is(p.Err(), ErrGivenUp) {
				t.Errorf("after %d groups: %v", n, err)
			}
			if _, again := p.Reward(group("a")); !errors.Is(again, ErrGivenUp) {
				t.Error(again)
			}
		})
	}
	p := Start("exit 7", Options{Log: slog.New(slog.DiscardHandler)})
	if _, err := p.Reward(group("a")); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("error %v", err)
	}
}

// TestPythonExample runs the example where Python has pyarrow.
func TestPythonExample(t *testing.T) {
	python := os.Getenv("OPENRS_PYTHON")
	if python == "" {
		python = "python3"
	}
	if exec.Command(python, "-c", "import pyarrow").Run() != nil {
		t.Skipf("%s has no pyarrow", python)
	}
	p := Start(python+" ../../pipelines/examples/length_reward.py", Options{Log: slog.New(slog.DiscardHandler)})
	for range 3 {
		got, err := p.Reward(group("aaaa", "a", "aaa"))
		if err != nil || len(got) != 3 || got[0] != 0 || got[1] != 1 || math.Abs(float64(got[2])-1./3) > 1e-6 {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
