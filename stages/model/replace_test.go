package model

import (
	"fmt"
	"reflect"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/cpu"
)

func TestSpanParts(t *testing.T) {
	l := newLayout(tiny("qwen2"))
	for _, s := range []span{l.embed, l.layers[0].qkv, l.layers[1].gateUp, l.layers[1].qkvBias} {
		for _, step := range []int{1, 3, 32, s.rows} {
			next, param := s.params[0].Offset, 0
			for r := 0; r < s.rows; r += step {
				at := 0
				for _, p := range s.parts(r, min(s.rows, r+step)) {
					if p.at != at || p.Offset+p.from != next || p.to <= p.from || p.to > p.Len() {
						t.Fatalf("%s, rows from %d: elements [%d, %d) of %s at %d, want from %d at %d", s.params[0].Name, r, p.from, p.to, p.Name, p.at, next-p.Offset, at)
					}
					at, next, param = at+p.to-p.from, p.Offset+p.to, param+1
				}
			}
			if last := s.params[len(s.params)-1]; next != last.Offset+last.Len() || param < len(s.params) {
				t.Errorf("%s: %d parts end at %d", s.params[0].Name, param, next)
			}
		}
	}
}

// tensors are a checkpoint of a model's random weights, stored in a type.
func tensors(t *testing.T, cfg checkpoint.Config, dtype checkpoint.DType) *checkpoint.Folder {
	t.Helper()
	m := newModel(t, newCPU(t), cfg, Options{Train: true})
	if err := m.Init(3); err != nil {
		t.Fatal(err)
	}
	named, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() + "/model"
	if err := checkpoint.Save(dir, cfg, named, checkpoint.SaveOptions{DType: dtype}); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func newCPU(t *testing.T) *cpu.Device {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

// mixed is a checkpoint of which every other matrix is in another type.
type mixed struct{ a, b *checkpoint.Folder }

func (m mixed) Tensor(name string) (checkpoint.Tensor, error) {
	if len(name)%2 == 0 {
		return m.a.Tensor(name)
	}
	return m.b.Tensor(name)
}

// TestLoadByRows: however few values are on their way at a time, and whether the device packs rows or
// matrices, the weights are the same.
func TestLoadByRows(t *testing.T) {
	cfg := tiny("qwen2")
	half := tensors(t, cfg, checkpoint.BF16)
	sources := map[string]TensorSource{"bf16": half, "both": mixed{half, tensors(t, cfg, checkpoint.F32)}}
	for from, src := range sources {
		for _, dtype := range []device.DType{device.F32, device.BF16} {
			for _, train := range []bool{false, true} {
				var want []float32
				for _, values := range []int{loadedValues, 1, 100, 2000} {
					for _, dev := range []device.Device{newCPU(t), struct{ device.Device }{newCPU(t)}} {
						m := newModel(t, dev, cfg, Options{DType: dtype, Train: train})
						m.loading = values
						if err := m.Load(src); err != nil {
							t.Fatal(err)
						}
						got := newRunner(t, m, 8).logits([]int32{1, 2, 3, 4, 5})
						if want == nil {
							want = got
						}
						same(t, fmt.Sprintf("%s as %v, training %v, %d values at a time on %v", from, dtype, train, values, reflect.TypeOf(dev)), got, want)
					}
				}
			}
		}
	}
}
