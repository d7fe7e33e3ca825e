//go:build cuda

package cuda

import (
	"fmt"
	"testing"

	"openrs/stages/device"
)

// BenchmarkMatMul is the products of a layer of Qwen2.5-1.5B's feed-forward network (1,536 to 17,920 values) for the rows of
// decoding and of training: forwards, backwards to the input and to the weight. It reports 10¹² operations a second and their
// share of what the multiply-add instructions alone reach at that moment (device.Limits). With -short everything is 16
// times smaller in each direction, for the fake driver.
func BenchmarkMatMul(b *testing.B) {
	in, out, scale := 1536, 17_920, 1
	if testing.Short() {
		scale = 16
	}
	in, out = in/scale, out/scale
	for _, dtype := range []device.DType{device.BF16, device.F32} {
		d := openDevice(b, Options{Attention: dtype})
		limit, err := d.ArithmeticLimit(dtype)
		if err != nil {
			b.Fatal(err)
		}
		w, err := d.NewWeight(out, in, dtype, true)
		if err != nil {
			b.Fatal(err)
		}
		for _, rows := range []int{1, 32, 128, 256, 8192} {
			rows = max(1, rows/scale)
			buf, err := d.Alloc(rows*(in+out) + in*out)
			if err != nil {
				b.Fatal(err)
			}
			x, y := device.View(buf, 0, rows, in), device.View(buf, rows*in, rows, out)
			dw := device.View(buf, rows*(in+out), out, in)
			for _, op := range []struct {
				name string
				run  func()
			}{
				{"forward", func() { d.MatMul(y, x, w, device.Tensor{}) }},
				{"input", func() { d.MatMulBackward(x, y, w, false) }},
				{"weight", func() { d.WeightGrad(dw, y, x, dtype) }},
			} {
				b.Run(fmt.Sprintf("%s/%s/rows=%d", dtype, op.name, rows), func(b *testing.B) {
					op.run() // loads the kernel
					if err := d.Sync(); err != nil {
						b.Fatal(err)
					}
					for b.Loop() {
						for range 10 { // launches for one wait
							op.run()
						}
						if err := d.Sync(); err != nil {
							b.Fatal(err)
						}
					}
					rate := 10 * 2 * float64(rows) * float64(in) * float64(out) * float64(b.N) / b.Elapsed().Seconds() / 1e9
					b.ReportMetric(rate/1e3, "TFLOP/s")
					b.ReportMetric(100*rate/limit, "%limit")
				})
			}
			d.Free(buf)
		}
		d.FreeWeight(w)
	}
}
