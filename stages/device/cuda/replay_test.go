//go:build cuda

package cuda

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"openrs/generate/engine"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/model"
)

// smallModel has attention that is split over chunks of keys and products of both kinds of tiles.
func smallModel(t testing.TB, d *Device, cfg checkpoint.Config, dtype device.DType) *model.Model {
	t.Helper()
	m, err := model.New(d, cfg, model.Options{DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := m.Init(7); err != nil {
		t.Fatal(err)
	}
	return m
}

// generated runs requests to their end and returns tokens and log-probabilities by problem.
func generated(t *testing.T, m *model.Model, opt engine.Options, requests []engine.Request) (map[string]string, engine.Stats) {
	t.Helper()
	e, err := engine.New(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, r := range requests {
		if err := e.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]string{}
	for !e.Idle() {
		results, err := e.Step()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			out[r.Request.ProblemID] = fmt.Sprintf("%x", r.Completions)
		}
	}
	return out, e.Stats()
}

// Graphs change no bit of what is sampled, while the batch changes, contexts grow and sequences are preempted.
func TestDecodingByGraphs(t *testing.T) {
	for _, c := range []struct {
		dtype  device.DType
		qkNorm bool
		layers int
	}{{device.F32, false, 2}, {device.BF16, false, 2}, {device.F32, true, 1}} {
		t.Run(fmt.Sprintf("%v/qknorm=%v", c.dtype, c.qkNorm), func(t *testing.T) {
			cfg := checkpoint.Config{
				Architecture: "qwen2", QKVBias: true, TieEmbeddings: true,
				Hidden: 48, Layers: c.layers, Heads: 4, KVHeads: 2, HeadDim: 16, FFN: 80, Vocab: 101,
				MaxPositions: 512, RopeTheta: 1e4, RMSEps: 1e-6,
			}
			if c.qkNorm {
				cfg.Architecture, cfg.QKVBias, cfg.QKNorm = "qwen3", false, true
			}
			rng := rand.New(rand.NewPCG(11, 12))
			var requests []engine.Request
			for i := range 7 {
				r := engine.Request{
					ProblemID: fmt.Sprint("p", i), Seed: 3, Samples: 1 + rng.IntN(4), MaxNewTokens: 5 + rng.IntN(30),
					Temperature: []float32{0, 0.7, 1.3}[rng.IntN(3)], Stop: []int32{5},
				}
				for range []int{20, 60, 240, 255}[rng.IntN(4)] {
					r.Prompt = append(r.Prompt, rng.Int32N(int32(cfg.Vocab)))
				}
				requests = append(requests, r)
			}
			opt := engine.Options{MaxSequences: 8, CacheTokens: 704, PrefillChunk: 128}
			var want map[string]string
			for _, direct := range []bool{true, false} {
				d := openDevice(t, Options{Attention: c.dtype})
				d.replay.off = direct
				m := smallModel(t, d, cfg, c.dtype)
				got, stats := generated(t, m, opt, requests)
				n := d.Launched()
				t.Logf("%d steps, %d preemptions; %+v", stats.Steps, stats.Preemptions, n)
				if direct {
					if want = got; n.Graphs != 0 {
						t.Errorf("%d graphs without Replay", n.Graphs)
					}
					if stats.Preemptions == 0 {
						t.Error("no preemption")
					}
					continue
				}
				if n.Graphs < int64(stats.Steps)/4 {
					t.Errorf("%d of %d steps by a graph", n.Graphs, stats.Steps)
				}
				for id, w := range want {
					if got[id] != w {
						t.Errorf("problem %s: other tokens or log-probabilities", id)
					}
				}
			}
		})
	}
}

// Whatever f asks for, in whatever order and with what changes from call to call, happens as without Replay.
func TestReplayOfAnything(t *testing.T) {
	const rows, cols = 40, 6
	run := func(off bool) ([]string, Launched) {
		d := openDevice(t, Options{})
		d.replay.off = off
		rng := rand.New(rand.NewPCG(21, 22))
		buf, err := d.Alloc(rows * cols)
		if err != nil {
			t.Fatal(err)
		}
		x := device.View(buf, 0, rows, cols)
		d.Upload(x, random(rng, x.Len()))
		var seen []string
		look := func() {
			values := make([]float32, x.Len())
			if err := d.Download(values, x); err != nil {
				t.Fatal(err)
			}
			seen = append(seen, fmt.Sprintf("%x", values))
		}
		ids := func(n int) []int32 {
			xs := make([]int32, n)
			for i := range xs {
				xs[i] = rng.Int32N(rows / 2)
			}
			return xs
		}
		top, bottom := x.RowRange(0, rows/2), x.RowRange(rows/2, rows)
		for range 400 {
			key := rng.IntN(3)
			odd := rng.IntN(24) // now and then f does something else
			d.Replay(fmt.Sprint(key), func() {
				a := ids(rows / 2)
				b := slices.Clone(a) // mostly equal, by chance as it were
				if rng.IntN(3) == 0 {
					b[rng.IntN(len(b))] = 0
				}
				if odd == 5 {
					b = a // one slice where there were two
				}
				for i := range 3 {
					if odd == 6 && i == 2 {
						return // less than before
					}
					d.GatherRows(bottom, top, a)
					if key == 1 {
						d.GatherRows(top, bottom, b)
					}
					d.Scale(top.RowRange(key, key+1), 0.75)
					if key == 2 {
						d.Copy(top.RowRange(3, 4), bottom.RowRange(i, i+1))
						d.Zero(top.RowRange(5, 6))
					}
					switch {
					case odd == 0 && i == 1:
						look()
					case odd == 1:
						d.Scale(bottom, 1.25)
					case odd == 2 && i == 2:
						d.Upload(top.RowRange(1, 3), random(rng, 2*cols))
					case odd == 3 && i == 0:
						b, err := d.Alloc(rows * cols)
						if err != nil {
							t.Fatal(err)
						}
						d.GatherRows(device.View(b, 0, rows/2, cols), top, a)
						d.Copy(bottom, device.View(b, 0, rows/2, cols))
						d.Free(b)
					case odd == 4 && i == 1 && rng.IntN(3) == 0:
						n := []int{100, 1000, firstRoom + 100}[rng.IntN(3)]
						addr := d.ints(ids(n))
						d.overQuads("gather_rows_f32", rows/2, cols, d.view("", "", bottom).addr, cols, d.view("", "", top).addr, cols, addr)
						d.Replay("inner", func() { d.Scale(bottom, 0.5) })
					}
				}
			})
			if rng.IntN(3) == 0 {
				look()
			}
		}
		look()
		return seen, d.Launched()
	}
	want, _ := run(true)
	got, n := run(false)
	if !slices.Equal(got, want) {
		t.Error("other values with graphs")
	}
	if t.Logf("%+v", n); n.Graphs < 100 || n.Made < 10 {
		t.Errorf("%+v", n)
	}
}

// The graphs of keys used last are kept, and no more; a panic of f leaves nothing behind.
func TestReplayKeeps(t *testing.T) {
	d := openDevice(t, Options{})
	buf, err := d.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	x := device.View(buf, 0, 1, 64)
	d.Upload(x, slices.Repeat([]float32{1}, 64))
	before := d.used
	replay := func(key int) bool {
		before := d.Launched().Graphs
		d.Replay(fmt.Sprint(key), func() { d.Scale(x, 1) })
		return d.Launched().Graphs > before
	}
	for key := range mostGraphs + 5 {
		for i := range repeatsBefore + 3 {
			if by := replay(key); by != (i >= repeatsBefore) {
				t.Fatalf("key %d, call %d: by a graph: %v", key, i, by)
			}
		}
		if key >= 2 && !replay(1) {
			t.Fatalf("key 1, in use all the time, was dropped after key %d", key)
		}
	}
	if n := len(d.replay.recordings); n != mostGraphs {
		t.Errorf("%d recordings", n)
	}
	if replay(0) {
		t.Error("key 0 was kept")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		d.Replay("1", func() {
			d.Scale(x, 2)
			d.Scale(device.Tensor{}, 2)
		})
	}()
	if replay(1) {
		t.Error("a recording outlived a panic")
	}
	values := make([]float32, 64)
	if err := d.Download(values, x); err != nil || values[0] != 1 {
		t.Errorf("%g, %v", values[0], err)
	}
	check := func(least int) {
		t.Helper()
		if n := len(d.replay.image); n < least || d.used != before+4*int64(n) {
			t.Errorf("room for %d indices, %d bytes more in use", n, d.used-before)
		}
	}
	check(firstRoom)
	d.Replay("large", func() { d.ints(make([]int32, firstRoom+1)) })
	replay(2)
	check(firstRoom + 1)
}

// Close frees graphs.
func TestReplayLeaksNothing(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.v", "-test.run", "^TestReplayKeeps$")
	child.Env = append(os.Environ(), "FAKECUDA_LEAKS=1")
	if out, err := child.CombinedOutput(); err != nil || strings.Contains(string(out), "leak") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A fault within a graph bears the graph's name, and with Blocking the kernel's.
func TestFaultInGraph(t *testing.T) {
	const mark = "OPENRS_TEST_ALONE"
	mode := os.Getenv(mark)
	if mode == "" {
		for _, mode := range []string{"graph test", "gather_rows_f32"} {
			child := exec.Command(os.Args[0], "-test.v", "-test.run", "^TestFaultInGraph$")
			child.Env = append(os.Environ(), mark+"="+mode, "FAKECUDA_EAGER=1")
			if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFaultInGraph") {
				t.Errorf("%v\n%s", err, out)
			}
		}
		return
	}
	d, err := Open(Options{Blocking: mode != "graph test"})
	if err != nil {
		t.Fatal(err)
	}
	buf, err := d.Alloc(8)
	if err != nil {
		t.Fatal(err)
	}
	x := d.view("test", "x", device.View(buf, 0, 2, 4))
	for i := range 5 {
		row := []int32{1, int32(i / 4 * 1 << 28)}
		d.Replay("test", func() {
			d.begin("test")
			d.overQuads("gather_rows_f32", 1, 4, x.addr, 4, x.addr, 4, d.ints(row[:1]))
			d.overQuads("gather_rows_f32", 1, 4, x.addr, 4, x.addr, 4, d.ints(row[1:]))
		})
		if err := d.Sync(); i < 4 && err != nil {
			t.Fatal(err)
		}
	}
	want := "cuda:0: " + mode + ": CUDA_ERROR_ILLEGAL_ADDRESS (700)"
	if err := d.Sync(); err == nil || err.Error() != want {
		t.Errorf("%v, expected %s", err, want)
	}
	if n := d.Launched().Graphs; (n > 0) != (mode == "graph test") {
		t.Errorf("%d graphs", n)
	}
	d.Close()
}

// BenchmarkDecoding is what the processor does for a step of decoding with a model of the size of 1.5B parameters, less the
// sampling: with a driver that does nothing, what the step costs the host.
func BenchmarkDecoding(b *testing.B) {
	cfg := checkpoint.Config{
		Architecture: "qwen2", QKVBias: true, TieEmbeddings: true,
		Hidden: 64, Layers: 28, Heads: 12, KVHeads: 2, HeadDim: 16, FFN: 64, Vocab: 128,
		MaxPositions: 4096, RopeTheta: 1e4, RMSEps: 1e-6,
	}
	for _, sequences := range []int{1, 32, 256} {
		for _, direct := range []bool{true, false} {
			b.Run(fmt.Sprintf("%d/direct=%v", sequences, direct), func(b *testing.B) {
				d := openDevice(b, Options{Attention: device.BF16})
				d.replay.off = direct
				m := smallModel(b, d, cfg, device.BF16)
				const page, context = 32, 2048
				cache, err := m.NewCache(sequences*context/page, page)
				if err != nil {
					b.Fatal(err)
				}
				defer d.FreeCache(cache)
				var batch model.Batch
				for i := range sequences {
					s := device.PagedSeq{Row: i, Len: 1}
					for p := range context / page {
						s.Pages = append(s.Pages, int32(p*sequences+i))
					}
					batch.Seqs = append(batch.Seqs, s)
					batch.LogitRows = append(batch.LogitRows, int32(i))
				}
				batch.IDs, batch.Positions, batch.Slots = make([]int32, sequences), make([]int32, sequences), make([]int32, sequences)
				for step := 0; b.Loop(); step++ {
					for i := range batch.Seqs {
						p := (i*7 + step) % context
						batch.Seqs[i].Start, batch.Positions[i] = p, int32(p)
						batch.Slots[i] = batch.Seqs[i].Pages[p/page]*page + int32(p%page)
					}
					if _, err := m.Infer(&batch, cache); err != nil {
						b.Fatal(err)
					}
					if err := d.Sync(); err != nil {
						b.Fatal(err)
					}
				}
				n := d.Launched()
				b.ReportMetric(float64(n.Kernels)/float64(b.N), "kernels/op")
				b.ReportMetric(float64(n.Graphs)/float64(b.N), "graphs/op")
			})
		}
	}
}
