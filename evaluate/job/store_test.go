package job

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
)

// sampled is a finished sample of a problem of the plan.
func sampled(p *Plan, k Key) schemas.Scored {
	q := p.problems[p.places[k.ProblemID]]
	t := p.tasks[q.task]
	temperature := float32(t.Sampling.Temperature)
	if temperature == 0 {
		temperature = 1
	}
	right := k.Sample%2 == 0
	reward := float32(k.Sample)
	return schemas.Scored{
		Rollout: schemas.Rollout{
			GroupID: fmt.Sprint("g", k.Sample), ProblemID: k.ProblemID, Source: q.Source, Problem: q.Problem.Problem, Answer: q.Answer, Sample: k.Sample,
			Step: int64(k.Sample), PromptIDs: []int32{1, 2}, CompletionIDs: []int32{3, k.Sample}, LogProbs: []float32{-1, -2},
			Completion: fmt.Sprint("so it is ", k.Sample), FinishReason: schemas.FinishStop, Temperature: temperature, Seed: t.Sampling.Seed,
		},
		Rewards: map[string]float32{"accuracy": reward}, Reward: &reward, Advantage: 3, Correct: &right,
	}
}

func allKeys(p *Plan) []Key {
	var keys []Key
	for _, piece := range p.Pieces() {
		keys = append(keys, p.Keys(piece)...)
	}
	return keys
}

func open(t *testing.T, path string) (*Store, Found) {
	t.Helper()
	s, found, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, found
}

// fill adds the samples of a plan in random order and portions, some of them twice.
func fill(t *testing.T, p *Plan, s *Store, rng *rand.Rand) {
	t.Helper()
	keys := allKeys(p)
	keys = append(keys, keys[:len(keys)/3]...)
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for len(keys) > 0 {
		n := 1 + rng.IntN(min(5, len(keys)))
		var rows []schemas.Scored
		for _, k := range keys[:n] {
			rows = append(rows, sampled(p, k))
		}
		keys = keys[n:]
		if _, err := p.accept(s, rows); err != nil {
			t.Fatal(err)
		}
	}
}

var small = []Task{
	{Name: "a", Problems: someProblems("a", 5), Samples: 4, Sampling: warm},
	{Name: "b", Problems: someProblems("b", 2), Samples: 3, Sampling: Sampling{MaxTokens: 900, Seed: 5}},
}

// In whatever order samples were finished, the rows are the same.
func TestRowsDoNotDependOnTheOrder(t *testing.T) {
	p := plan(t, 0, small...)
	var want []schemas.Scored
	for seed := range uint64(5) {
		path := filepath.Join(t.TempDir(), "samples")
		s, _ := open(t, path)
		fill(t, p, s, rand.New(rand.NewPCG(seed, 1)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, found := open(t, path)
		if found != (Found{Samples: 26}) {
			t.Errorf("found %+v, want 26 samples", found)
		}
		rows, err := Rows(p, s, 7)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = rows
		}
		if !reflect.DeepEqual(rows, want) {
			t.Errorf("seed %d: other rows", seed)
		}
	}
	if err := schemas.CheckScored(want); err != nil {
		t.Error(err)
	}
	for i, k := range allKeys(p) {
		r := want[i]
		if (Key{r.ProblemID, r.Sample}) != k || r.PolicyVersion != 7 || r.Step != 0 || r.Advantage != 0 || r.Completion != fmt.Sprint("so it is ", k.Sample) {
			t.Errorf("row %d is %+v, want that of %v", i, r, k)
		}
	}
}

// Wherever a file ends or is damaged, what is whole before (and, after a flipped bit, behind) is kept, nothing
// wrong is, and going on gives the same as before.
func TestDamagedStore(t *testing.T) {
	p := plan(t, 0, small...)
	dir := t.TempDir()
	path := filepath.Join(dir, "samples")
	s, _ := open(t, path)
	fill(t, p, s, rand.New(rand.NewPCG(3, 3)))
	want, err := Rows(p, s, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 8))
	for i := range 40 {
		data := slices.Clone(whole)
		what := ""
		if i%2 == 0 {
			data = data[:rng.IntN(len(data))]
			what = fmt.Sprintf("cut to %d of %d bytes", len(data), len(whole))
		} else {
			at, bit := rng.IntN(len(data)), rng.IntN(8)
			data[at] ^= 1 << bit
			what = fmt.Sprintf("bit %d of byte %d flipped", bit, at)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		s, found := open(t, path)
		if i%2 == 1 && found.Damaged == 0 && found.Cut == 0 {
			t.Errorf("%s: not noticed", what)
		}
		for k := range s.places {
			if r, err := s.Row(k); err != nil || !reflect.DeepEqual(r, sampled(p, k)) {
				t.Errorf("%s: %v is %+v, %v", what, k, r, err)
			}
		}
		for _, piece := range p.Missing(s.Has) {
			for _, k := range p.Keys(piece) {
				if _, err := p.accept(s, []schemas.Scored{sampled(p, k)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Close()
		s, found = open(t, path)
		rows, err := Rows(p, s, 0)
		if err != nil || !reflect.DeepEqual(rows, want) || found.Cut != 0 {
			t.Errorf("%s: going on gives other rows, or %v; then found %+v", what, err, found)
		}
		s.Close()
	}
}

// What failed in one start is asked for again in the next, and can be read meanwhile.
func TestFailedSamplesAreMadeAgain(t *testing.T) {
	p := plan(t, 0, small...)
	path := filepath.Join(t.TempDir(), "samples")
	keys := allKeys(p)
	bad := sampled(p, keys[3])
	bad.FinishReason, bad.Completion, bad.CompletionIDs, bad.LogProbs, bad.Correct, bad.Reward, bad.Rewards = schemas.FinishError, "", nil, nil, nil, nil, nil
	add := func(s *Store, r schemas.Scored, want int) {
		t.Helper()
		if n, err := s.Add([]schemas.Scored{r}); n != want || err != nil {
			t.Fatalf("%d added, want %d: %v", n, want, err)
		}
	}
	for start := range 4 {
		s, found := open(t, path)
		finished := start == 3
		if s.Has(keys[3]) != finished || start > 0 && found.Samples != 1+start/3 {
			t.Fatalf("start %d: %+v, finished %v", start, found, s.Has(keys[3]))
		}
		if start > 0 {
			if r, err := s.Row(keys[3]); err != nil || (r.FinishReason == schemas.FinishError) == finished {
				t.Fatalf("start %d: %+v, %v", start, r, err)
			}
		}
		switch start {
		case 0, 1: // fails again
			add(s, bad, 1)
			add(s, bad, 0)
			add(s, sampled(p, keys[4]), 1-start)
		case 2:
			add(s, sampled(p, keys[3]), 1)
			add(s, bad, 0)
		}
		s.Close()
	}
}

func TestStoreIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	s, _ := open(t, path)
	if _, _, err := Open(path); err == nil || !strings.Contains(err.Error(), "another evaluation is at work") {
		t.Errorf("opened twice: %v", err)
	}
	s.Close()
	if _, err := Lock(path); err != nil {
		t.Errorf("after it was closed: %v", err)
	}
}

func TestStoreRefuses(t *testing.T) {
	p := plan(t, 0, small...)
	s, _ := open(t, filepath.Join(t.TempDir(), "samples"))
	k := allKeys(p)[1]
	for want, change := range map[string]func(*schemas.Scored){
		"is not in the plan":                   func(r *schemas.Scored) { r.ProblemID = "other" },
		"problem: expected":                    func(r *schemas.Scored) { r.Problem = "another" },
		`gold answer: expected "0", found "9"`: func(r *schemas.Scored) { r.Answer = "9" },
		"temperature: expected 0.8, found 1":   func(r *schemas.Scored) { r.Temperature = 1 },
		"seed: expected 5, found 4":            func(r *schemas.Scored) { r.Seed = 4 },
		"tokens: expected at most 100, found":  func(r *schemas.Scored) { r.CompletionIDs = make([]int32, 101) },
		"sample 1000: expected one below":      func(r *schemas.Scored) { r.Sample = 1000 },
	} {
		r := sampled(p, k)
		change(&r)
		if _, err := p.accept(s, []schemas.Scored{r}); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := Rows(p, s, 0); err == nil || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("rows of an empty store: %v", err)
	}
	// Greedy samples are marked with temperature 1.
	last := allKeys(p)[25]
	if n, err := p.accept(s, []schemas.Scored{sampled(p, last)}); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := p.accept(s, []schemas.Scored{sampled(p, last)}); n != 0 || err != nil {
		t.Errorf("the second time: %d, %v", n, err)
	}
	if err := s.Clear(); err != nil || s.Has(last) {
		t.Errorf("after Clear: %v, has %v", err, s.Has(last))
	}
}

// Any bytes are read to their end or to where no samples begin, and what is read was written.
func FuzzFrames(f *testing.F) {
	good := append(frameHead([]byte("body")), "body"...)
	f.Add(good)
	f.Add(append(good, good[:20]...))
	f.Add([]byte("openrs-samples 99999999999999999999 x\n"))
	f.Add([]byte("openrs-samples -1 " + strings.Repeat("0", 64) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &frameReader{r: bufio.NewReaderSize(bytes.NewReader(data), 64), left: int64(len(data))}
		for {
			body, at, good, err := r.next()
			if err == io.EOF && r.at != int64(len(data)) {
				t.Errorf("the end is at %d of %d bytes", r.at, len(data))
			}
			if err != nil {
				return
			}
			if !bytes.Equal(data[at:at+int64(len(body))], body) {
				t.Errorf("body at %d is not what is there", at)
			}
			if good && !bytes.HasSuffix(data[:at], frameHead(body)) {
				t.Errorf("a body with a digest that is not its own is good")
			}
		}
	})
}
