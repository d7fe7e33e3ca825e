package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"openrs/stages/device"
	"openrs/stages/goldentest"
)

// sampled is a completion that grows in TestGoldenSameBits.
type sampled struct {
	group, limit int
	pages        []int32
	done         int // tokens in the cache
	ids          []int32
	logp         []float32
	temperature  float32
}

// TestGoldenSameBits generates groups of completions through Infer, in random company and with prompts
// in random chunks, and expects LogProbs and Forward to find the very log-probabilities that were
// sampled, whether the completions share their prompt's rows or not.
func TestGoldenSameBits(t *testing.T) {
	eachGolden(t, Options{Train: true}, func(t *testing.T, g *golden, m *Model) {
		rng := rand.New(rand.NewPCG(1, 2))
		groups, recorded := sampleGroups(t, m, rng)
		want := slices.Concat(recorded...)

		p, err := Pack(groups, Whole(groups))
		if err != nil {
			t.Fatal(err)
		}
		scored, entropy, err := m.LogProbs(p)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "LogProbs with shared prompts", scored, want)
		pass, err := m.Forward(p)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "Forward", pass.LogProbs(), want)
		same(t, "entropies of Forward", pass.Entropies(), entropy)

		for _, budget := range []int{1, 60, 200} {
			var got []float32
			for _, pieces := range Split(groups, budget) {
				p, err := Pack(groups, pieces)
				if err != nil {
					t.Fatal(err)
				}
				logp, _, err := m.LogProbs(p)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, logp...)
			}
			same(t, fmt.Sprintf("LogProbs in micro-batches of %d rows", budget), got, want)
		}
	})
}

// sampleGroups generates three groups of four completions and returns them with the log-probabilities
// that were sampled.
func sampleGroups(t *testing.T, m *Model, rng *rand.Rand) (groups []Group, logp [][]float32) {
	const pagesPer = 4
	c, err := m.NewCache(12*pagesPer, testPage)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Device().FreeCache(c)
	free := rng.Perm(12 * pagesPer)
	var all []*sampled
	for i, prompt := range []int{1, 40, 130} {
		ids := make([]int32, prompt)
		for j := range ids {
			ids[j] = int32(rng.IntN(m.cfg.Vocab))
		}
		groups = append(groups, Group{Prompt: ids, Temperature: []float32{1, 0.7, 1.3}[i]})
		for range 4 {
			s := &sampled{group: i, limit: 1 + rng.IntN(40), temperature: groups[i].Temperature}
			for _, p := range free[:pagesPer] {
				s.pages = append(s.pages, int32(p))
			}
			free = free[pagesPer:]
			all = append(all, s)
		}
	}
	for {
		b, params, who := &Batch{}, []device.Sampling{}, []*sampled{}
		active := 0
		for _, s := range all {
			if len(s.ids) == s.limit {
				continue
			}
			active++
			if rng.IntN(4) == 0 {
				continue
			}
			ids := append(slices.Clone(groups[s.group].Prompt), s.ids...)[s.done:]
			if len(ids) > 1 {
				ids = ids[:1+rng.IntN(len(ids))]
			}
			b.IDs = append(b.IDs, ids...)
			addSequence(b, len(ids), s.done, s.pages)
			s.done += len(ids)
			if s.done == len(groups[s.group].Prompt)+len(s.ids) {
				b.LogitRows = append(b.LogitRows, int32(len(b.IDs)-1))
				params = append(params, device.Sampling{Temperature: s.temperature, U: rng.Float64()})
				who = append(who, s)
			}
		}
		if active == 0 {
			break
		}
		logits, err := m.Infer(b, c)
		if err != nil {
			t.Fatal(err)
		}
		ids, lp := make([]int32, len(who)), make([]float32, len(who))
		if err := m.dev.Sample(logits, params, ids, lp); err != nil {
			t.Fatal(err)
		}
		for i, s := range who {
			s.ids, s.logp = append(s.ids, ids[i]), append(s.logp, lp[i])
		}
	}
	for _, s := range all {
		groups[s.group].Completions = append(groups[s.group].Completions, s.ids)
		logp = append(logp, s.logp)
	}
	return groups, logp
}

// same checks exact equality.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: value %d is %v, want the bits of %v", what, i, got[i], want[i])
		}
	}
}

// gradients runs one batch forward and backward from cleared gradients.
func gradientsOf(t *testing.T, m *Model, p *Packed, dlogp func(i int) float32) []float32 {
	t.Helper()
	m.ZeroGrads()
	pass, err := m.Forward(p)
	if err != nil {
		t.Fatal(err)
	}
	d := make([]float32, len(pass.LogProbs()))
	for i := range d {
		d[i] = dlogp(i)
	}
	if err := m.Backward(pass, d); err != nil {
		t.Fatal(err)
	}
	_, grads := m.Flat()
	return download(t, m, grads)
}

// TestRecomputeSameBits: keeping activations or computing them again gives the same gradients, however
// many rows the MLP takes at a time, and also when buffers have held a longer batch before.
func TestRecomputeSameBits(t *testing.T) {
	for _, dir := range goldentest.Models(t) {
		g := openGolden(t, dir)
		eachDevice(t, func(t *testing.T, dev device.Device) {
			groups := g.groups()
			dlogp := func(i int) float32 { return float32(i%7-3) / 10 }
			kept := g.load(t, dev, Options{Train: true})
			for _, chunk := range []int{mlpRows, 13} {
				again := g.load(t, dev, Options{Train: true, Recompute: true})
				again.chunk = chunk
				for _, n := range []int{1, len(groups), 2} {
					p, err := Pack(groups[:n], Whole(groups[:n]))
					if err != nil {
						t.Fatal(err)
					}
					what := fmt.Sprintf("gradients of %d rows, %d at a time", len(p.IDs), chunk)
					same(t, what, gradientsOf(t, again, p, dlogp), gradientsOf(t, kept, p, dlogp))
				}
			}
		})
	}
}

// TestGradientsShareNothing: the gradients of a group that shares its prompt are those of its
// completions as separate sequences, and micro-batches add up.
func TestGradientsShareNothing(t *testing.T) {
	for _, dir := range goldentest.Models(t) {
		g := openGolden(t, dir)
		eachDevice(t, func(t *testing.T, dev device.Device) {
			m := g.load(t, dev, Options{Train: true})
			groups := g.groups()
			var single []Group
			for _, g := range groups {
				for _, c := range g.Completions {
					single = append(single, Group{Prompt: g.Prompt, Completions: [][]int32{c}})
				}
			}
			dlogp := func(i int) float32 { return float32(i%7-3) / 10 }
			p, err := Pack(groups, Whole(groups))
			if err != nil {
				t.Fatal(err)
			}
			q, err := Pack(single, Whole(single))
			if err != nil {
				t.Fatal(err)
			}
			if len(q.IDs) <= len(p.IDs) || len(q.Rows) != len(p.Rows) {
				t.Fatalf("%d rows and %d predictions without sharing, %d and %d with", len(q.IDs), len(q.Rows), len(p.IDs), len(p.Rows))
			}
			want := gradientsOf(t, m, q, dlogp)
			closeGradients(t, m, gradientsOf(t, m, p, dlogp), want)

			m.ZeroGrads()
			at := 0
			for _, pieces := range Split(groups, 30) {
				p, err := Pack(groups, pieces)
				if err != nil {
					t.Fatal(err)
				}
				pass, err := m.Forward(p)
				if err != nil {
					t.Fatal(err)
				}
				d := make([]float32, len(pass.LogProbs()))
				for i := range d {
					d[i] = dlogp(at + i)
				}
				at += len(d)
				if err := m.Backward(pass, d); err != nil {
					t.Fatal(err)
				}
			}
			_, grads := m.Flat()
			closeGradients(t, m, download(t, m, grads), want)
		})
	}
}

func closeGradients(t *testing.T, m *Model, got, want []float32) {
	t.Helper()
	for _, p := range m.Params() {
		w := want[p.Offset : p.Offset+p.Len()]
		var top float32
		for _, x := range w {
			top = max(top, x, -x)
		}
		close32(t, "gradient of "+p.Name, got[p.Offset:p.Offset+p.Len()], w, 1e-4*float64(top))
	}
}
