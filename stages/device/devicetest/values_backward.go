package devicetest

import "openrs/stages/device"

func tolOf(dtype device.DType, f32 float64) float64 {
	if dtype == device.BF16 {
		return tolBF16
	}
	return f32
}

func valuesMatMulBackward(w *twin) {
	for _, shape := range [][2]int{{1, 1}, {7, 1}, {31, 16}, {33, 48}, {64, 65}, {100, 129}, {1537, 20}, {20, 700}} {
		out, in := shape[0], shape[1]
		for _, rows := range append(someRows, 70) {
			dy, x := w.tensor(rows, out), w.tensor(rows, in)
			for _, dtype := range w.dtypes {
				m, dx := w.weight(out, in, dtype, true), w.tensor(rows, in)
				for _, add := range []bool{false, true} {
					w.both(func(s int, d device.Device) { d.MatMulBackward(dx.t[s], dy.t[s], m[s], add) })
					w.near(shapeName("MatMulBackward", dtype, shape, add), dx, tolOf(dtype, tolSum))
				}
				w.both(func(s int, d device.Device) { d.FreeWeight(m[s]) })
			}
			dw, db := w.tensor(out, in), w.tensor(1, out)
			for _, dtype := range w.dtypes {
				w.both(func(s int, d device.Device) { d.WeightGrad(dw.t[s], dy.t[s], x.t[s], dtype) })
				w.near(shapeName("WeightGrad", dtype, shape), dw, tolSum)
			}
			w.both(func(s int, d device.Device) { d.BiasGrad(db.t[s], dy.t[s]) })
			w.near(shapeName("BiasGrad", shape), db, tolSum)
		}
	}
}

func valuesRMSNormBackward(w *twin) {
	for _, rows := range someRows {
		for _, cols := range someSizes {
			x, dy, scale := w.tensor(rows, cols), w.tensor(rows, cols), w.dense(1, cols)
			dx, dw := w.tensor(rows, cols), w.tensor(1, cols)
			for _, add := range []bool{false, true} {
				w.both(func(s int, d device.Device) {
					d.RMSNormBackward(dx.t[s], dw.t[s], dy.t[s], x.t[s], scale.t[s], 0.01, add)
				})
				w.near(shapeName("dx of RMSNormBackward", rows, cols, add), dx, tolSum)
				w.near("dw of RMSNormBackward", dw, tolSum)
			}
			w.both(func(s int, d device.Device) {
				d.RMSNormBackward(dy.t[s], dw.t[s], dy.t[s], x.t[s], scale.t[s], 0.01, false)
			})
			w.near("RMSNormBackward in place", dy, tolSum)
			w.both(func(s int, d device.Device) {
				d.RMSNormBackward(dx.t[s], device.Tensor{}, dy.t[s], x.t[s], scale.t[s], 0.01, false)
			})
			w.near("dx of RMSNormBackward alone", dx, tolSum)
		}
	}
}

// valuesDropout demands the very mask of the reference. Numbers of rows are any 32 bits.
func valuesDropout(w *twin) {
	for _, rows := range someRows {
		numbers := make([]int32, rows)
		for i := range numbers {
			numbers[i] = int32(w.rng.Uint32())
		}
		for _, cols := range append(someSizes, 5000) {
			x, y := w.tensor(rows, cols), w.tensor(rows, cols)
			for _, rate := range []float32{0, 0.05, 0.5, 0.999} {
				for _, add := range []bool{false, true} {
					seed := w.rng.Uint64()
					w.both(func(s int, d device.Device) { d.Dropout(y.t[s], x.t[s], rate, seed, numbers, add) })
					w.near(shapeName("Dropout", rows, cols, rate, add), y, tolExact)
				}
			}
			w.both(func(s int, d device.Device) { d.Dropout(x.t[s], x.t[s], 0.3, 7, numbers, false) })
			w.near("Dropout in place", x, tolExact)
		}
	}
}

func valuesSwiGLUBackward(w *twin) {
	for _, rows := range someRows {
		for _, cols := range someSizes {
			x, dy, dx := w.tensor(rows, 2*cols), w.tensor(rows, cols), w.tensor(rows, 2*cols)
			w.both(func(s int, d device.Device) { d.Scale(x.t[s], 4); d.SwiGLUBackward(dx.t[s], dy.t[s], x.t[s]) })
			w.near("SwiGLUBackward", dx, tolOnce)
			w.both(func(s int, d device.Device) { d.SwiGLUBackward(x.t[s], dy.t[s], x.t[s]) })
			w.near("SwiGLUBackward in place", x, tolOnce)
		}
	}
}

func valuesAttentionBackward(w *twin) {
	for _, shape := range headShapes() {
		for _, c := range attentionCases {
			nq := shape.Heads * shape.HeadDim
			q, k, v := w.attentionInputs(c.rows, shape)
			out, lse, dout := w.tensor(c.rows, nq), w.tensor(c.rows, shape.Heads), w.tensor(c.rows, nq)
			dq, dk, dv := w.attentionInputs(c.rows, shape)
			w.both(func(s int, d device.Device) {
				d.Attention(out.t[s], lse.t[s], q.t[s], k.t[s], v.t[s], shape, c.segs)
				d.AttentionBackward(dq.t[s], dk.t[s], dv.t[s], dout.t[s], out.t[s], lse.t[s], q.t[s], k.t[s], v.t[s], shape, c.segs)
			})
			for name, g := range map[string]pair{"dq": dq, "dk": dk, "dv": dv} {
				got, want := w.got(g), w.read(g.t[1], 1)
				w.close(shapeName(name, "of AttentionBackward", c.name, shape), got, want, 5*tolSoft)
			}
		}
	}
}

// close is near for values that are already here.
func (w *twin) close(what string, got, want []float32, tol float64) {
	w.Helper()
	scale := 1.0
	for _, x := range want {
		scale = max(scale, abs(x))
	}
	for i := range want {
		if d := abs(got[i] - want[i]); !(d <= tol*scale) {
			w.Fatalf("%s: value %d of %d is %v, want %v (off by %.2g, tolerance %.2g)", what, i, len(want), got[i], want[i], d, tol*scale)
		}
	}
}

func valuesLogProbsBackward(w *twin) {
	for _, dtype := range w.dtypes {
		for _, vocab := range vocabularies() {
			m := w.weight(vocab, 33, dtype, true)
			for _, rows := range []int{0, 1, 14} {
				h, targets, temp := w.tensor(rows, 33), w.ids(rows, vocab), w.temperatures(rows)
				lse, dlogp := w.tensor(rows, 1), w.tensor(rows, 1)
				dh, dw := w.tensor(rows, 33), w.tensor(vocab, 33)
				w.both(func(s int, d device.Device) {
					d.LogProbs(dlogp.t[s], lse.t[s], device.Tensor{}, h.t[s], m[s], targets, temp)
				})
				w.set(dlogp, w.normal(rows))
				for _, add := range []bool{false, true} {
					w.both(func(s int, d device.Device) {
						d.LogProbsBackward(dh.t[s], dw.t[s], dlogp.t[s], lse.t[s], h.t[s], m[s], targets, temp, add)
					})
					name := shapeName("of LogProbsBackward", dtype, "vocabulary", vocab, "rows", rows, add)
					w.near("dh "+name, dh, tolOf(dtype, tolSoft))
					w.near("dw "+name, dw, tolOf(dtype, tolSoft))
				}
				w.both(func(s int, d device.Device) {
					d.LogProbsBackward(dh.t[s], device.Tensor{}, dlogp.t[s], lse.t[s], h.t[s], m[s], targets, temp, false)
				})
				w.near(shapeName("dh of LogProbsBackward alone", dtype, vocab, rows), dh, tolOf(dtype, tolSoft))
			}
		}
	}
}

func valuesOptimizing(w *twin) {
	for _, rows := range someRows {
		for _, cols := range someSizes {
			p, g, m, v := w.tensor(rows, cols), w.tensor(rows, cols), w.tensor(rows, cols), w.tensor(rows, cols)
			w.both(func(s int, d device.Device) { d.Zero(m.t[s]); d.Zero(v.t[s]) })
			var sums [2]float64
			w.both(func(s int, d device.Device) {
				var err error
				if sums[s], err = d.SumSquares(g.t[s]); err != nil {
					w.Fatalf("sum of squares: %v", err)
				}
			})
			if d := sums[0] - sums[1]; d > 1e-9*(1+sums[1]) || -d > 1e-9*(1+sums[1]) {
				w.Fatalf("SumSquares of %v: got %v, want %v", g.t[0], sums[0], sums[1])
			}
			for t := range int64(3) {
				step := device.AdamWStep{LR: 0.05, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, T: t + 1, GradScale: 0.7}
				w.both(func(s int, d device.Device) { d.AdamW(p.t[s], g.t[s], m.t[s], v.t[s], step) })
				w.near("parameters of AdamW", p, tolSum)
				w.near("m of AdamW", m, tolOnce)
				w.near("v of AdamW", v, tolOnce)
			}
			w.both(func(s int, d device.Device) { d.Scale(p.t[s], -0.3) })
			w.near("Scale", p, tolSum)
		}
	}
}
