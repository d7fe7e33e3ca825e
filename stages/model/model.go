package model

import (
	"errors"
	"fmt"
	"math"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
)

// Errors that a caller may decide on.
var (
	// ErrInput marks token ids, positions or row numbers that the model has no place for.
	ErrInput = errors.New("bad model input")
	// ErrTensors marks a checkpoint whose tensors are not those of the configuration.
	ErrTensors = errors.New("checkpoint does not fit the model")
	// ErrNotTraining marks a call that needs [Options].Train.
	ErrNotTraining = errors.New("model was not made for training")
	// ErrStalePass marks a Backward of a [Pass] that has been used or replaced by a later Forward.
	ErrStalePass = errors.New("pass is no longer valid")
)

// Options are the choices that config.json does not make.
type Options struct {
	// DType is the type in which matrices are stored and multiplied.
	DType device.DType
	// Train keeps float32 masters and gradients, for [Model.Backward] and [Model.Flat].
	Train bool
	// Recompute keeps only the input of each layer between Forward and Backward and computes the rest
	// again: activation checkpointing (Chen et al., Training Deep Nets with Sublinear Memory Cost).
	// The gradients have the same bits.
	Recompute bool
	// MaxPositions bounds the length of a sequence; 0 is the configuration's.
	MaxPositions int
	// LoRA puts adapters on the weights, which then stay as they are: what Train trains, and keeps masters and
	// gradients of, is the adapters alone. nil: none.
	LoRA *LoRA
}

// Model is a transformer on a device. Like the device, it is owned by one goroutine.
type Model struct {
	dev    device.Device
	cfg    checkpoint.Config
	opt    Options
	layout *layout

	adapter *adapterLayout // nil: no adapters
	bare    bool           // leave the adapters out: see Base

	embed  device.Weight
	head   device.Weight // embed itself when tied
	norm   device.Tensor
	layers []layerWeights
	grads  gradients // Train only

	params  device.Buffer // Train: the masters
	gradBuf device.Buffer // Train: the gradients
	vectors device.Buffer // norms and biases that are not trained

	rope rope
	work *pool  // scratch of any call
	kept *pool  // what a Pass keeps
	pass uint64 // number of the last Pass

	chunk   int // rows that pass through the MLP at a time: mlpRows
	loading int // values that are on their way into the model at a time: loadedValues
}

// layerWeights are one block's weights as the device uses them.
type layerWeights struct {
	qkv, o, gateUp, down                       matrix
	inputNorm, qkvBias, qNorm, kNorm, postNorm device.Tensor
}

// layerGrads are the places of one block's gradients; those of a frozen model are none.
type layerGrads struct {
	qkv, o, gateUp, down                       device.Tensor
	inputNorm, qkvBias, qNorm, kNorm, postNorm device.Tensor
}

type gradients struct {
	embed, norm, head device.Tensor
	layers            []layerGrads
}

// New makes a model with all weights zero; [Model.Load] or [Model.Init] comes next. The device stays
// the caller's.
func New(dev device.Device, cfg checkpoint.Config, opt Options) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	switch {
	case opt.MaxPositions == 0:
		opt.MaxPositions = cfg.MaxPositions
	case opt.MaxPositions < 0 || opt.MaxPositions > cfg.MaxPositions:
		return nil, fmt.Errorf("max positions: expected 1 to the configuration's %d, found %d", cfg.MaxPositions, opt.MaxPositions)
	}
	if opt.LoRA != nil {
		l, err := opt.LoRA.Validate()
		if err != nil {
			return nil, err
		}
		opt.LoRA = &l
	}
	m := &Model{dev: dev, cfg: cfg, opt: opt, layout: newLayout(cfg), work: newPool(dev), kept: newPool(dev), chunk: mlpRows, loading: loadedValues}
	if err := m.allocate(); err != nil {
		m.Close()
		return nil, fmt.Errorf("weights of a model of %d parameters: %w", m.layout.total, err)
	}
	return m, nil
}

// frozen reports whether the weights of the configuration have no masters: they are not trained.
func (m *Model) frozen() bool { return !m.opt.Train || m.opt.LoRA != nil }

// flat is the layout of what is trained; of a model that is not, of its adapters or else its weights.
func (m *Model) flat() *layout {
	if m.adapter != nil {
		return &m.adapter.layout
	}
	return m.layout
}

func (m *Model) allocate() (err error) {
	if m.opt.LoRA != nil {
		m.adapter = newAdapterLayout(m.layout, *m.opt.LoRA)
	}
	if m.opt.Train {
		if m.params, err = m.dev.Alloc(m.flat().total); err != nil {
			return err
		}
		if m.gradBuf, err = m.dev.Alloc(m.flat().total); err != nil {
			return err
		}
	}
	if m.frozen() {
		if m.vectors, err = m.dev.Alloc(m.layout.vectors); err != nil {
			return err
		}
	}
	weight := func(s span, grad bool) device.Weight {
		if err != nil {
			return nil
		}
		var w device.Weight
		if w, err = m.dev.NewWeight(s.rows, s.cols, m.opt.DType, grad); err != nil {
			return nil
		}
		return w
	}
	l, train := m.layout, m.opt.Train // the gradients of what is below go through every matrix
	m.embed = weight(l.embed, train && m.cfg.TieEmbeddings)
	if m.head = m.embed; !l.head.absent() {
		m.head = weight(l.head, train)
	}
	m.norm = m.vector(l.norm)
	for _, s := range l.layers {
		m.layers = append(m.layers, layerWeights{
			qkv: matrix{weight: weight(s.qkv, train)}, o: matrix{weight: weight(s.o, train)},
			gateUp: matrix{weight: weight(s.gateUp, train)}, down: matrix{weight: weight(s.down, train)},
			inputNorm: m.vector(s.inputNorm), qkvBias: m.vector(s.qkvBias), qNorm: m.vector(s.qNorm), kNorm: m.vector(s.kNorm), postNorm: m.vector(s.postNorm),
		})
	}
	m.grads.layers = make([]layerGrads, len(l.layers))
	if !m.frozen() {
		m.grads = gradients{embed: m.grad(l.embed), norm: m.grad(l.norm), head: m.grad(l.embed)}
		if !l.head.absent() {
			m.grads.head = m.grad(l.head)
		}
		for _, s := range l.layers {
			m.grads.layers = append(m.grads.layers, layerGrads{
				qkv: m.grad(s.qkv), o: m.grad(s.o), gateUp: m.grad(s.gateUp), down: m.grad(s.down),
				inputNorm: m.grad(s.inputNorm), qkvBias: m.grad(s.qkvBias), qNorm: m.grad(s.qNorm), kNorm: m.grad(s.kNorm), postNorm: m.grad(s.postNorm),
			})
		}
	}
	if err == nil && m.opt.LoRA != nil {
		err = m.allocateAdapters()
	}
	return err
}

// vector is where a norm or bias lies on the device: among the masters when training, so that an
// optimizer step reaches it at once.
func (m *Model) vector(s span) device.Tensor {
	switch {
	case s.absent():
		return device.Tensor{}
	case !m.frozen():
		return device.View(m.params, s.offset, 1, s.cols)
	}
	return device.View(m.vectors, s.vector, 1, s.cols)
}

func (m *Model) grad(s span) device.Tensor {
	if s.absent() {
		return device.Tensor{}
	}
	return device.View(m.gradBuf, s.offset, s.rows, s.cols)
}

// weights lists every packed matrix of the configuration beside its span.
func (m *Model) weights(f func(w device.Weight, s span)) {
	f(m.embed, m.layout.embed)
	for i, w := range m.layers {
		s := m.layout.layers[i]
		f(w.qkv.weight, s.qkv)
		f(w.o.weight, s.o)
		f(w.gateUp.weight, s.gateUp)
		f(w.down.weight, s.down)
	}
	if !m.layout.head.absent() {
		f(m.head, m.layout.head)
	}
}

// Config returns the configuration the model was made with.
func (m *Model) Config() checkpoint.Config { return m.cfg }

// Device returns the device the model runs on.
func (m *Model) Device() device.Device { return m.dev }

// Options returns the options the model was made with, MaxPositions resolved.
func (m *Model) Options() Options { return m.opt }

// Close frees all that the model holds on the device. Tensors and passes of it are invalid afterwards.
func (m *Model) Close() {
	m.work.free()
	m.kept.free()
	m.rope.free(m.dev)
	m.freeAdapters()
	m.weights(func(w device.Weight, _ span) {
		if w != nil {
			m.dev.FreeWeight(w)
		}
	})
	for _, b := range []device.Buffer{m.params, m.gradBuf, m.vectors} {
		if b != nil {
			m.dev.Free(b)
		}
	}
	m.embed, m.head, m.layers, m.params, m.gradBuf, m.vectors = nil, nil, nil, nil, nil, nil
	m.layout = &layout{}
}

// NewCache returns an empty key-value cache for [Model.Infer]. The caller frees it with
// Device().FreeCache.
func (m *Model) NewCache(pages, pageSize int) (device.Cache, error) {
	c, err := m.dev.NewCache(device.CacheConfig{Layers: m.cfg.Layers, KVHeads: m.cfg.KVHeads, HeadDim: m.cfg.HeadDim, Pages: pages, PageSize: pageSize})
	if err != nil {
		return nil, fmt.Errorf("cache of %d pages of %d tokens: %w", pages, pageSize, err)
	}
	return c, nil
}

// attentionShape is the same in every layer.
func (m *Model) attentionShape() device.AttentionShape {
	return device.AttentionShape{
		Heads: m.cfg.Heads, KVHeads: m.cfg.KVHeads, HeadDim: m.cfg.HeadDim,
		Scale: float32(1 / math.Sqrt(float64(m.cfg.HeadDim))),
	}
}

func (m *Model) eps() float32 { return float32(m.cfg.RMSEps) }
