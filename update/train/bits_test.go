package train

import (
	"fmt"
	"testing"

	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/update/grpo"
	"openrs/update/optim"
)

// embedding is the parameter of a tied model that two uses add gradients to.
const embedding = "model.embed_tokens.weight"

// gradientsOf returns what one update adds up under a token budget, and what its loss observed.
func (g *golden) gradientsOf(t *testing.T, dev device.Device, budget int, recompute bool) ([]float32, grpo.Stats) {
	t.Helper()
	tr := g.trainer(t, dev, budget, recompute, optim.Settings{})
	stats, _ := g.update(t, tr, g.GRPO["openrs"])
	return gradients(t, tr), stats
}

// rowsOfGroups are the rows that each group needs.
func (g *golden) rowsOfGroups() []int {
	var out []int
	for _, group := range g.groups(1) {
		n := len(group.Prompt)
		for _, c := range group.Completions {
			n += len(c) - 1
		}
		out = append(out, n)
	}
	return out
}

// TestGoldenBudget splits the batch under token budgets of all sizes. Loss and metrics keep every bit.
// Gradients do where groups stay whole, but for a tied embedding, to which each micro-batch adds that of
// the head and then that of the input. A divided group computes its prompt again for each part, so that
// its prompt's gradients are sums in another order; then only rounding may differ.
func TestGoldenBudget(t *testing.T) {
	eachGolden(t, false, func(t *testing.T, g *golden, dev device.Device) {
		want, wantStats := g.gradientsOf(t, dev, whole, false)
		largestGroup, all := 0, 0
		for _, n := range g.rowsOfGroups() {
			largestGroup, all = max(largestGroup, n), all+n
		}
		tied := g.folder.Config().TieEmbeddings
		kept, divided := 0, 0
		for _, budget := range []int{1, 10, 25, largestGroup - 1, largestGroup, all - 1, all} {
			t.Run(fmt.Sprint(budget), func(t *testing.T) {
				got, stats := g.gradientsOf(t, dev, budget, false)
				if stats != wantStats {
					t.Errorf("loss and metrics %+v, want %+v", stats, wantStats)
				}
				groups := g.groups(1)
				parts, keptWhole := 0, true
				for _, pieces := range model.Split(groups, budget) {
					parts++
					for _, p := range pieces {
						keptWhole = keptWhole && p.From == 0 && p.To == len(groups[p.Group].Completions)
					}
				}
				tr := g.trainer(t, dev, budget, false, optim.Settings{})
				if !keptWhole {
					divided++
					closeGradients(t, tr, got, want, gradTol/10)
					return
				}
				kept += parts
				for _, p := range tr.replicas[0].model.Params() {
					x, y := got[p.Offset:p.Offset+p.Len()], want[p.Offset:p.Offset+p.Len()]
					if p.Name == embedding && tied && parts > 1 {
						closeTo(t, p.Name, x, y, gradTol/10*largest(y))
						continue
					}
					sameBits(t, "gradient of "+p.Name, x, y)
				}
			})
		}
		if kept < 3 || divided == 0 {
			t.Errorf("%d micro-batches of whole groups, %d batches with divided ones: both are to be tested", kept, divided)
		}
	})
}

// TestGoldenRecompute: activation checkpointing changes no bit, whatever the budget.
func TestGoldenRecompute(t *testing.T) {
	eachGolden(t, false, func(t *testing.T, g *golden, dev device.Device) {
		for _, budget := range []int{10, whole} {
			want, wantStats := g.gradientsOf(t, dev, budget, false)
			got, stats := g.gradientsOf(t, dev, budget, true)
			sameBits(t, fmt.Sprintf("gradients under a budget of %d", budget), got, want)
			if stats != wantStats {
				t.Errorf("loss and metrics %+v, want %+v", stats, wantStats)
			}
		}
	})
}

// TestGoldenRepeat: the same update again, with another one in between, gives the same bits.
func TestGoldenRepeat(t *testing.T) {
	eachGolden(t, false, func(t *testing.T, g *golden, dev device.Device) {
		tr := g.trainer(t, dev, 40, false, optim.Settings{})
		g.update(t, tr, g.GRPO["openrs"])
		want := gradients(t, tr)
		g.update(t, tr, g.GRPO["grpo_clip_kl"]) // leaves nothing behind
		g.update(t, tr, g.GRPO["openrs"])
		sameBits(t, "gradients of the second time", gradients(t, tr), want)
	})
}
