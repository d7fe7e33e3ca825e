package cpu

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// TestPackRows compares weights packed some rows at a time, from values and from a checkpoint's bfloat16
// values, with the same weights packed as a whole.
func TestPackRows(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {33, 7}, {64, 300}, {500, 129}} {
		d := openDevice(t, "", 2)
		d.minWork = 1
		l := newLab(t, d, 1)
		out, in := shape[0], shape[1]
		x := l.random(out, in)
		var raw []byte
		for _, v := range l.read(x) {
			raw = binary.LittleEndian.AppendUint16(raw, kernel.RoundBF16(v))
		}
		pack := func(dtype device.DType, f func(w device.Weight)) []float32 {
			w, err := d.NewWeight(out, in, dtype, false)
			if err != nil {
				t.Fatal(err)
			}
			if want := int64(4 * padded(out) * in); dtype == device.F32 && w.Bytes() != want {
				t.Errorf("%d×%d takes %d bytes, want %d", out, in, w.Bytes(), want)
			}
			if want := int64(4 * padded(out) * kernel.Pairs(in)); dtype == device.BF16 && w.Bytes() != want {
				t.Errorf("%d×%d takes %d bytes, want %d", out, in, w.Bytes(), want)
			}
			f(w)
			return l.embedded(w)
		}
		byRows := func(rows int, f func(w device.Weight, from, to int)) func(device.Weight) {
			return func(w device.Weight) {
				for from := 0; from < out; from += rows {
					f(w, from, min(from+rows, out))
				}
			}
		}
		for _, dtype := range []device.DType{device.F32, device.BF16} {
			whole := pack(dtype, func(w device.Weight) { d.Pack(w, x) })
			for _, rows := range []int{device.PackRows, 5 * device.PackRows} {
				what := fmt.Sprintf("a weight of %d×%d in %v, %d rows at a time", out, in, dtype, rows)
				l.same(what, pack(dtype, byRows(rows, func(w device.Weight, from, to int) { d.PackRows(w, from, x.RowRange(from, to)) })), whole)
				if dtype == device.BF16 {
					l.same(what+", raw", pack(dtype, byRows(rows, func(w device.Weight, from, to int) { d.PackBF16Rows(w, from, raw[2*from*in:2*to*in]) })), whole)
				}
			}
		}
	}
}

// embedded reads the rows of w back.
func (l lab) embedded(w device.Weight) []float32 {
	ids := make([]int32, w.Out())
	for r := range ids {
		ids[r] = int32(r)
	}
	y := l.empty(w.Out(), w.In())
	l.d.Embed(y, w, ids)
	return l.read(y)
}

func TestPackRowsRefuses(t *testing.T) {
	d := openDevice(t, "", 1)
	l := newLab(t, d, 1)
	frozen := func(dtype device.DType) device.Weight {
		w, err := d.NewWeight(70, 6, dtype, false)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	half, single := frozen(device.BF16), frozen(device.F32)
	for name, f := range map[string]func(){
		"PackRows: w 4×6, grad true":                                       func() { d.PackRows(l.weight(4, 6), 0, l.random(4, 6)) },
		"PackRows: w 70×6, grad false, from 8":                             func() { d.PackRows(half, 8, l.random(32, 6)) },
		"PackRows: w 70×6, grad false, from 32, t 16×6":                    func() { d.PackRows(single, 32, l.random(16, 6)) },
		"PackRows: w 70×6, grad false, from 64, t 7×6":                     func() { d.PackRows(single, 64, l.random(7, 6)) },
		"PackRows: w 70×6, grad false, from 0, t 32×5":                     func() { d.PackRows(single, 0, l.random(32, 5)) },
		"PackBF16Rows: w 4×6":                                              func() { d.PackBF16Rows(l.weightOf(4, 6, device.BF16), 0, make([]byte, 48)) },
		"PackBF16Rows: w 70×6, dtype f32":                                  func() { d.PackBF16Rows(single, 0, make([]byte, 2*32*6)) },
		"PackBF16Rows: w 70×6, dtype bf16, grad false, from 0, bytes 385":  func() { d.PackBF16Rows(half, 0, make([]byte, 2*32*6+1)) },
		"PackBF16Rows: w 70×6, dtype bf16, grad false, from 64, bytes 384": func() { d.PackBF16Rows(half, 64, make([]byte, 2*32*6)) },
	} {
		if got := message(f); !strings.Contains(got, name) {
			t.Errorf("panic %q, want %q", got, name)
		}
	}
}
