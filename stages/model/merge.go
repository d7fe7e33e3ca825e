package model

import (
	"fmt"
	"slices"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
)

// Stored lists the weights of a model that src has, checked as [Model.Load] does, to be written elsewhere.
// Values are read when their turn comes.
func Stored(cfg checkpoint.Config, src TensorSource) ([]checkpoint.NamedTensor, error) {
	params := newLayout(cfg).params
	tensors, err := pick(params, src)
	if err != nil {
		return nil, err
	}
	return listed(params, tensors), nil
}

// Random lists the weights that [Model.Init] sets.
func Random(cfg checkpoint.Config, seed uint64) []checkpoint.NamedTensor {
	return listed(newLayout(cfg).params, drawn{std: initializerRange(cfg.Raw), seed: seed})
}

// StoredAdapter lists the matrices of adapters that src has under PEFT's names, as [Stored] does.
func StoredAdapter(cfg checkpoint.Config, l LoRA, src TensorSource) ([]checkpoint.NamedTensor, error) {
	params, err := AdapterParams(cfg, l)
	if err != nil {
		return nil, err
	}
	tensors, err := pick(params, src)
	if err != nil {
		return nil, err
	}
	return listed(params, tensors), nil
}

func listed(params []Param, from source) []checkpoint.NamedTensor {
	out := make([]checkpoint.NamedTensor, len(params))
	for i, p := range params {
		out[i] = checkpoint.NamedTensor{Name: p.Name, Shape: slices.Clone(p.Shape), Read: func() ([]float32, error) {
			v := make([]float32, p.Len())
			return v, from.read(p, 0, v)
		}}
	}
	return out
}

// mergedRows is how many rows of a weight are merged at a time.
const mergedRows = 1 << 10

// Merge lists the weights of a model with those of its adapters built in: W + Scale·B·A, computed in float32
// on dev as their turn comes. weights are those of [Stored] or [Random], adapter those of [StoredAdapter] or of the
// [Model.Export] of a model with adapters. Every matrix of the adapter must find its weight.
func Merge(dev device.Device, weights []checkpoint.NamedTensor, l LoRA, adapter []checkpoint.NamedTensor) ([]checkpoint.NamedTensor, error) {
	pairs := map[string][2]checkpoint.NamedTensor{} // A and B by the name of the weight
	for _, x := range adapter {
		weight, isB, ok := Target(x.Name)
		if !ok {
			return nil, fmt.Errorf("%w: %s is no matrix of an adapter", ErrTensors, x.Name)
		}
		pair := pairs[weight]
		if isB {
			pair[1] = x
		} else {
			pair[0] = x
		}
		pairs[weight] = pair
	}
	used := 0
	out := slices.Clone(weights)
	for i, w := range weights {
		pair, ok := pairs[w.Name]
		if !ok {
			continue
		}
		a, b := pair[0].Shape, pair[1].Shape
		if len(a) != 2 || len(b) != 2 || len(w.Shape) != 2 || a[0] != b[1] || a[1] != w.Shape[1] || b[0] != w.Shape[0] {
			return nil, fmt.Errorf("%w: %s of shape %v has adapters of shapes %v and %v", ErrTensors, w.Name, w.Shape, a, b)
		}
		used++
		out[i].Values = nil
		out[i].Read = func() ([]float32, error) {
			merged, err := merge(dev, w, pair[0], pair[1], l.Scale())
			if err != nil {
				return nil, fmt.Errorf("merging adapters into %s: %w", w.Name, err)
			}
			return merged, nil
		}
	}
	if used < len(pairs) {
		return nil, fmt.Errorf("%w: there are adapters of %d weights, of which the model has %d", ErrTensors, len(pairs), used)
	}
	return out, nil
}

// valuesOf reads a tensor.
func valuesOf(t checkpoint.NamedTensor) ([]float32, error) {
	if t.Values != nil || t.Read == nil {
		return t.Values, nil
	}
	return t.Read()
}

// merge returns w + scale·b·a.
func merge(dev device.Device, weight, down, up checkpoint.NamedTensor, scale float32) ([]float32, error) {
	rank, in, out := down.Shape[0], down.Shape[1], up.Shape[0]
	var read [3][]float32
	for i, t := range []checkpoint.NamedTensor{weight, down, up} {
		var err error
		if read[i], err = valuesOf(t); err != nil {
			return nil, err
		}
	}
	w, a, b := read[0], read[1], slices.Clone(read[2])
	for i := range b {
		b[i] *= scale
	}
	right, err := dev.NewWeight(rank, in, device.F32, true)
	if err != nil {
		return nil, err
	}
	defer dev.FreeWeight(right)
	rows := min(out, mergedRows)
	buf, err := dev.Alloc(max(rank, rows)*in + rows*rank)
	if err != nil {
		return nil, err
	}
	defer dev.Free(buf)
	all := device.View(buf, 0, rank, in)
	dev.Upload(all, a)
	dev.Pack(right, all)
	left := max(rank, rows) * in
	merged := make([]float32, len(w))
	for from := 0; from < out; from += rows {
		to := min(out, from+rows)
		sum, part := device.View(buf, 0, to-from, in), device.View(buf, left, to-from, rank)
		dev.Upload(sum, w[from*in:to*in])
		dev.Upload(part, b[from*rank:to*rank])
		dev.MatMulBackward(sum, part, right, true)
		if err := dev.Download(merged[from*in:to*in], sum); err != nil {
			return nil, err
		}
	}
	return merged, nil
}
