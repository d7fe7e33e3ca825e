package model

import (
	"fmt"

	"openrs/stages/checkpoint"
)

// Param is one tensor of the checkpoint and its place in the flat parameter buffer.
type Param struct {
	Name   string // as in Hugging Face checkpoints: model.layers.0.mlp.up_proj.weight
	Shape  []int  // [out, in] of a matrix, [n] of a norm or a bias
	Offset int    // of the first element; elements are row-major
	Decay  bool   // weight decay applies: matrices, not norms and biases
}

// Len is the number of elements.
func (p Param) Len() int {
	n := 1
	for _, s := range p.Shape {
		n *= s
	}
	return n
}

// span is a rows × cols part of the flat buffer, of one parameter or of several that lie next to each
// other. The zero span is absent.
type span struct {
	offset, rows, cols int
	vector             int // where a vector lies among the vectors alone
	params             []Param
}

func (s span) absent() bool { return s.cols == 0 }

// layerSpans are the parameters of one transformer block as they are used: q, k and v are one matrix
// (and one bias), and so are gate and up.
type layerSpans struct {
	inputNorm, qkv, qkvBias, qNorm, kNorm, o, postNorm, gateUp, down span
}

// layout is the order of all parameters in the flat buffer.
type layout struct {
	params  []Param
	total   int // elements
	vectors int // elements of the vectors alone
	embed   span
	layers  []layerSpans
	norm    span
	head    span // absent when tied
}

// newLayout lays out the parameters of a model.
func newLayout(cfg checkpoint.Config) *layout {
	l := &layout{}
	h, q, kv := cfg.Hidden, cfg.Heads*cfg.HeadDim, cfg.KVHeads*cfg.HeadDim
	l.embed = l.matrix("model.embed_tokens.weight", h, part{"", cfg.Vocab})
	for i := range cfg.Layers {
		block := fmt.Sprintf("model.layers.%d.", i)
		attn, mlp := block+"self_attn.", block+"mlp."
		var s layerSpans
		s.inputNorm = l.vector(block+"input_layernorm.weight", part{"", h})
		qkv := []part{{"q_proj", q}, {"k_proj", kv}, {"v_proj", kv}}
		s.qkv = l.matrix(attn+"%s.weight", h, qkv...)
		if cfg.QKVBias {
			s.qkvBias = l.vector(attn+"%s.bias", qkv...)
		}
		if cfg.QKNorm {
			s.qNorm = l.vector(attn+"q_norm.weight", part{"", cfg.HeadDim})
			s.kNorm = l.vector(attn+"k_norm.weight", part{"", cfg.HeadDim})
		}
		s.o = l.matrix(attn+"o_proj.weight", q, part{"", h})
		s.postNorm = l.vector(block+"post_attention_layernorm.weight", part{"", h})
		s.gateUp = l.matrix(mlp+"%s.weight", h, part{"gate_proj", cfg.FFN}, part{"up_proj", cfg.FFN})
		s.down = l.matrix(mlp+"down_proj.weight", cfg.FFN, part{"", h})
		l.layers = append(l.layers, s)
	}
	l.norm = l.vector("model.norm.weight", part{"", h})
	if !cfg.TieEmbeddings {
		l.head = l.matrix("lm_head.weight", h, part{"", cfg.Vocab})
	}
	return l
}

// part is one of the parameters that make up a span: what replaces %s in the name, and its rows.
type part struct {
	name string
	rows int
}

func (l *layout) matrix(name string, in int, parts ...part) span {
	s := span{offset: l.total, cols: in}
	for _, p := range parts {
		s.rows += p.rows
		s.params = append(s.params, l.add(fill(name, p), []int{p.rows, in}, true))
	}
	return s
}

func (l *layout) vector(name string, parts ...part) span {
	s := span{offset: l.total, rows: 1, vector: l.vectors}
	for _, p := range parts {
		s.cols += p.rows
		s.params = append(s.params, l.add(fill(name, p), []int{p.rows}, false))
	}
	l.vectors += s.cols
	return s
}

func fill(name string, p part) string {
	if p.name == "" {
		return name
	}
	return fmt.Sprintf(name, p.name)
}

func (l *layout) add(name string, shape []int, decay bool) Param {
	p := Param{Name: name, Shape: shape, Offset: l.total, Decay: decay}
	l.params = append(l.params, p)
	l.total += p.Len()
	return p
}

// spans calls f for every span, in order, until it fails.
func (l *layout) spans(f func(span) error) error {
	all := []span{l.embed}
	for _, s := range l.layers {
		all = append(all, s.inputNorm, s.qkv, s.qkvBias, s.qNorm, s.kNorm, s.o, s.postNorm, s.gateUp, s.down)
	}
	for _, s := range append(all, l.norm, l.head) {
		if s.absent() {
			continue
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

// vectorSpans is spans without the matrices.
func (l *layout) vectorSpans(f func(span) error) error {
	return l.spans(func(s span) error {
		if s.params[0].Decay {
			return nil
		}
		return f(s)
	})
}
