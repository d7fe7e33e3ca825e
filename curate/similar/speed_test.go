package similar

import (
	"runtime"
	"sync"
	"testing"
)

// texts are the raw training problems.
func texts(b testing.TB) []string {
	var out []string
	for _, r := range training(b) {
		out = append(out, r.text)
	}
	return out
}

func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkPrepare(b *testing.B) {
	rows := texts(b)
	for b.Loop() {
		for _, s := range rows {
			Prepare(s)
		}
	}
	perRow(b, len(rows))
}

func BenchmarkNear(b *testing.B) {
	var rows []*Text
	for _, s := range texts(b) {
		rows = append(rows, Prepare(s))
	}
	for b.Loop() {
		n, _ := NewNear(NearOptions{})
		for i, t := range rows {
			n.Add(i, n.Sketch(t))
		}
	}
	perRow(b, len(rows))
}

func BenchmarkCheck(b *testing.B) {
	var rows []*Text
	for _, s := range texts(b) {
		rows = append(rows, Prepare(s))
	}
	sets := benchmarks(b)
	run := func(name string, methods []Method) {
		b.Run(name, func(b *testing.B) {
			x, err := NewIndex(IndexOptions{Methods: methods}, sets...)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for _, t := range rows {
					x.Check(t)
				}
			}
			perRow(b, len(rows))
		})
	}
	for _, m := range Methods() {
		run(string(m), []Method{m})
	}
	run("default", nil)
	run("all", Methods())
}

func BenchmarkNewIndex(b *testing.B) {
	sets := benchmarks(b)
	for b.Loop() {
		if _, err := NewIndex(IndexOptions{Methods: Methods()}, sets...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWhole is all a recipe does with a row, on as many goroutines as
// there are processors: normal form, exact and near duplicates, and every
// contamination method against all benchmark files.
func BenchmarkWhole(b *testing.B) {
	rows := texts(b)
	x, err := NewIndex(IndexOptions{Methods: Methods()}, benchmarks(b)...)
	if err != nil {
		b.Fatal(err)
	}
	workers := runtime.GOMAXPROCS(0)
	prepared, sketches := make([]*Text, len(rows)), make([]Sketch, len(rows))
	for b.Loop() {
		exact := NewExact()
		near, err := NewNear(NearOptions{})
		if err != nil {
			b.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < len(rows); i += workers {
					prepared[i] = Prepare(rows[i])
					sketches[i] = near.Sketch(prepared[i])
					x.Check(prepared[i])
				}
			})
		}
		wg.Wait()
		for i := range rows {
			if _, dup := exact.Add(i, prepared[i]); !dup {
				near.Add(i, sketches[i])
			}
		}
	}
	perRow(b, len(rows))
}

// TestMemory keeps what doc comments say about memory near the truth.
func TestMemory(t *testing.T) {
	onlyMeasures(t)
	rows := texts(t)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools and sweeping held back the first time
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	measure := func(what string, most int, per int, build func() any) {
		before := heap()
		kept := build()
		after := heap()
		runtime.KeepAlive(kept)
		got := int(int64(after)-int64(before)) / per
		t.Logf("%s: %d bytes each", what, got)
		if got > most {
			t.Errorf("%s: %d bytes each, want at most %d", what, got, most)
		}
	}
	sets := benchmarks(t)
	measure("exact, a row", 120, len(rows), func() any {
		e := NewExact()
		for i, s := range rows {
			e.Add(i, Prepare(s))
		}
		return e
	})
	measure("near, a row", 900, len(rows), func() any {
		n, _ := NewNear(NearOptions{})
		for i, s := range rows {
			n.Add(i, n.Sketch(Prepare(s)))
		}
		return n
	})
	items := 0
	for _, set := range sets {
		items += len(set.Items)
	}
	measure("index, an item", 30000, items, func() any {
		x, err := NewIndex(IndexOptions{Methods: Methods()}, sets...)
		if err != nil {
			t.Fatal(err)
		}
		return x
	})
	runtime.KeepAlive(rows)
	runtime.KeepAlive(sets)
}
