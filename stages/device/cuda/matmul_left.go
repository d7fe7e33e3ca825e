//go:build cuda

package cuda

import "openrs/stages/device"

// A layer's backward pass needs each dy twice, for WeightGrad and then for MatMulBackward, and rounding it to bfloat16
// takes up to a third as long as a product with it. So WeightGrad leaves the rounded dy at the start of scratch memory, and
// a MatMulBackward that follows at once finds it there.

// left is what WeightGrad was given as dy, and where it is rounded; 0 is nowhere.
type left struct {
	dy device.Tensor
	at uint64
}

// leftOf returns what is left of dy, before begin.
func (d *Device) leftOf(dy device.Tensor) left {
	if d.op != "WeightGrad" || d.left.dy != dy || len(d.space.extra) > 0 { // extra is freed by begin
		return left{}
	}
	return d.left
}

// resume makes dy the first operand of an operation that has begun.
func (d *Device) resume(l left, dy matrix) *operand {
	o := &operand{matrix: dy}
	if l.at != 0 {
		o.at = d.scratch(roundedBytes(dy))
		o.rounded = o.at == l.at
	}
	return o
}
