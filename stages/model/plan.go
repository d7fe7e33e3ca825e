package model

import "openrs/stages/checkpoint"

// Memory is an estimate of what a model takes on its device, in bytes. Padding and alignment of a
// device's own layouts come on top.
type Memory struct {
	Parameters  int   // number of parameters, no bytes
	Trained     int   // number of those that are trained: of the adapters alone if there are any
	Weights     int64 // packed matrices, norms and biases
	Masters     int64 // float32 parameters that are trained; 0 without Train
	Gradients   int64
	Optimizer   int64 // two moments
	Activations int64 // kept between Forward and Backward, and scratch
	Cache       int64 // keys and values
}

// Total is the sum of all parts.
func (m Memory) Total() int64 {
	return m.Weights + m.Masters + m.Gradients + m.Optimizer + m.Activations + m.Cache
}

// Workload is how much work a plan is for.
type Workload struct {
	Rows           int // rows of the largest call
	Predictions    int // predictions of the largest training or scoring call
	LogitRows      int // rows of logits of the largest Infer
	Pages, PerPage int // size of the cache
}

// Plan estimates the memory of a model with these options under that load.
func Plan(cfg checkpoint.Config, opt Options, load Workload) Memory {
	l := newLayout(cfg)
	const f32 = 4
	q, kv := cfg.Heads*cfg.HeadDim, cfg.KVHeads*cfg.HeadDim
	m := Memory{Parameters: l.total}
	m.Weights = int64(l.total-l.vectors) * int64(opt.DType.Bytes())
	reduced, drops := 0, false
	if opt.Train {
		m.Trained = l.total
	}
	if opt.LoRA != nil {
		if lora, err := opt.LoRA.Validate(); err == nil {
			adapters := newAdapterLayout(l, lora)
			m.Parameters += adapters.total
			m.Weights += int64(adapters.total) * int64(opt.DType.Bytes())
			m.Activations = int64(adapters.widest*lora.Rank) * f32
			reduced, drops = adapters.most*lora.Rank, opt.Train && lora.Dropout > 0
			if opt.Train {
				m.Trained = adapters.total
			}
		}
	}
	if opt.Train {
		flat := int64(m.Trained) * f32
		m.Masters, m.Gradients, m.Optimizer = flat, flat, 2*flat
	}
	if !opt.Train || opt.LoRA != nil {
		m.Weights += int64(l.vectors) * f32
	}
	rows, chunk := int64(load.Rows), int64(min(load.Rows, mlpRows))
	headNorm := int64(0)
	if cfg.QKNorm {
		headNorm = int64(q + kv)
	}
	// What acts, takeScores, reserve and takeBackward take, in values a row.
	block := int64(q+2*kv+q+cfg.Heads) + headNorm
	values := rows*int64(cfg.Hidden) + chunk*int64(3*cfg.FFN) // h; gate, up and their product
	values += int64(load.Predictions) * int64(2*cfg.Hidden+3)
	values += rows * int64(reduced)
	if drops {
		values += max(rows*int64(max(cfg.Hidden, q)), chunk*int64(cfg.FFN))
	}
	if opt.Train {
		layers := int64(cfg.Layers)
		values += rows * (layers + 1) * int64(cfg.Hidden) // each layer's input
		if opt.Recompute {
			values += rows * (block + int64(cfg.Hidden))
		} else {
			values += rows * layers * (block + int64(cfg.Hidden+2*cfg.FFN))
		}
		values += rows*(int64(2*cfg.Hidden+2*q+2*kv)+2*headNorm) + chunk*int64(cfg.FFN)
		values += int64(load.Predictions) * int64(cfg.Hidden+1)
	} else {
		values += rows * (block + int64(cfg.Hidden))
	}
	values += int64(load.LogitRows) * int64(cfg.Vocab+cfg.Hidden)
	values += int64(max(1, min(max(load.Rows, minRope), maxPositions(cfg, opt)))) * int64(cfg.HeadDim)
	m.Activations += values * f32
	m.Cache = int64(load.Pages) * int64(load.PerPage) * int64(2*kv*cfg.Layers) * f32
	return m
}

func maxPositions(cfg checkpoint.Config, opt Options) int {
	if opt.MaxPositions > 0 {
		return opt.MaxPositions
	}
	return cfg.MaxPositions
}
