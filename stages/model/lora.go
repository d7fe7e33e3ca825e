package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"openrs/stages/checkpoint"
	"openrs/stages/suggest"
)

// LoRA describes low-rank adapters (Hu et al., LoRA: Low-Rank Adaptation of Large Language Models): a
// projection of weight W computes y = x·Wᵀ + Scale·(dropout(x)·Aᵀ)·Bᵀ, where W stays as it is and the
// Rank × in matrix A and the out × Rank matrix B are trained.
type LoRA struct {
	Rank  int
	Alpha float64
	// Dropout is the share of x's elements that Forward drops before A. Nothing else does: sampling, LogProbs and
	// a Base score what has been learned. Projections of the same input (q, k and v; gate and up) lose the same
	// elements, and are computed together; in PEFT each draws its own.
	Dropout float64
	// RankStabilized divides by the root of the rank (Kalajdzievski, A Rank Stabilization Scaling Factor for
	// Fine-Tuning with LoRA).
	RankStabilized bool
	// Targets are the projections that have an adapter, in every layer: some of [LoRATargets]; none means all.
	Targets []string
}

// LoRATargets are the projections of a block that can have an adapter, in order.
func LoRATargets() []string {
	return []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
}

// ErrLoRA marks settings of adapters that can't be used.
var ErrLoRA = errors.New("bad LoRA settings")

// Scale is what the product of the two matrices is multiplied with: Alpha / Rank, or Alpha / √Rank.
func (l LoRA) Scale() float32 {
	if l.RankStabilized {
		return float32(l.Alpha / math.Sqrt(float64(l.Rank)))
	}
	return float32(l.Alpha / float64(l.Rank))
}

// Validate returns l with Targets in order and complete, or an error, wrapping [ErrLoRA], about the first
// setting that can't be used.
func (l LoRA) Validate() (LoRA, error) {
	switch {
	case l.Rank < 1 || l.Rank > maxRank:
		return l, fmt.Errorf("%w: the rank is %d, expected 1 to %d", ErrLoRA, l.Rank, maxRank)
	case !(l.Alpha > 0) || math.IsInf(l.Alpha, 0):
		return l, fmt.Errorf("%w: alpha is %v, expected more than 0", ErrLoRA, l.Alpha)
	case !(l.Dropout >= 0 && l.Dropout < 1):
		return l, fmt.Errorf("%w: dropout is %v, expected at least 0 and less than 1", ErrLoRA, l.Dropout)
	}
	all := LoRATargets()
	for _, t := range l.Targets {
		if !slices.Contains(all, t) {
			return l, fmt.Errorf("%w: target %q%s, expected some of %s", ErrLoRA, t, suggest.From(t, all), strings.Join(all, ", "))
		}
	}
	if len(l.Targets) > 0 {
		all = slices.DeleteFunc(all, func(t string) bool { return !slices.Contains(l.Targets, t) })
	}
	l.Targets = all
	return l, nil
}

const maxRank = 1 << 15

// The names of an adapter's two matrices, as PEFT has them, are made of these and of the projection's.
const (
	adapterPrefix = "base_model.model."
	suffixA       = ".lora_A.weight"
	suffixB       = ".lora_B.weight"
)

// lowRankSpan is where the adapters of a span of the base lie in the flat buffer: their matrices A next to each
// other, as one of [adapters · rank, in], then their matrices B.
type lowRankSpan struct {
	joined Param // all A together
	parts  []lowRankPart
}

// lowRankPart is one adapter, and which columns of the product of the span it adds to.
type lowRankPart struct {
	paramA, paramB Param
	from, to       int
}

func (s lowRankSpan) absent() bool { return len(s.parts) == 0 }

// adapterLayout is the order of all adapters' parameters, and for each layer the adapters of its spans.
type adapterLayout struct {
	layout // params and total alone
	layers []adapterSpans
	widest int // rows of the largest B
	most   int // adapters of one span
}

type adapterSpans struct {
	qkv, o, gateUp, down lowRankSpan
}

// newAdapterLayout lays out the adapters of a model.
func newAdapterLayout(base *layout, l LoRA) *adapterLayout {
	a := &adapterLayout{}
	of := func(s span) (x lowRankSpan) {
		for _, p := range s.params {
			module := strings.TrimSuffix(p.Name, ".weight")
			if slices.Contains(l.Targets, module[strings.LastIndexByte(module, '.')+1:]) {
				from := (p.Offset - s.offset) / s.cols
				x.parts = append(x.parts, lowRankPart{
					paramA: a.add(adapterPrefix+module+suffixA, []int{l.Rank, s.cols}, true), from: from, to: from + p.Shape[0],
				})
			}
		}
		if x.absent() {
			return x
		}
		n := len(x.parts)
		x.joined = x.parts[0].paramA
		x.joined.Shape = []int{n * l.Rank, s.cols}
		for i, part := range x.parts {
			rows := part.to - part.from
			name := strings.TrimSuffix(part.paramA.Name, suffixA) + suffixB
			x.parts[i].paramB = a.add(name, []int{rows, l.Rank}, true)
			a.widest, a.most = max(a.widest, rows), max(a.most, n)
		}
		return x
	}
	for _, s := range base.layers {
		a.layers = append(a.layers, adapterSpans{qkv: of(s.qkv), o: of(s.o), gateUp: of(s.gateUp), down: of(s.down)})
	}
	return a
}

// AdapterParams lists the parameters of the adapters of a model with this configuration, as PEFT names them,
// in the order of the flat buffer. Of each projection there are A, [Rank, in], and B, [out, Rank].
func AdapterParams(cfg checkpoint.Config, l LoRA) ([]Param, error) {
	l, err := l.Validate()
	if err != nil {
		return nil, err
	}
	return newAdapterLayout(newLayout(cfg), l).params, nil
}

// Target splits the name of an adapter's parameter into that of the base's weight it adds to, such as
// model.layers.0.mlp.up_proj.weight, and which of the two matrices it is.
func Target(name string) (weight string, isB, ok bool) {
	module, found := strings.CutPrefix(name, adapterPrefix)
	if !found {
		return "", false, false
	}
	if module, found := strings.CutSuffix(module, suffixA); found {
		return module + ".weight", false, true
	}
	module, found = strings.CutSuffix(module, suffixB)
	return module + ".weight", true, found
}
