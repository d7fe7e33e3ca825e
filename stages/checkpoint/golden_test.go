package checkpoint

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"openrs/stages/goldentest"
)

func TestGoldenDTypes(t *testing.T) {
	data, err := os.ReadFile(goldentest.Path(t, "dtypes.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Tensors map[string]struct {
			DType  DType
			Shape  []int
			Values []json.Number
		}
		Rounding struct {
			F32  []string `json:"f32_bits"`
			BF16 []string `json:"bf16_bits"`
			F16  []string `json:"f16_bits"`
		}
	}
	goldentest.Decode(t, goldentest.Path(t, "dtypes.json"), &want)
	f, err := ParseTensors("dtypes.safetensors", data)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Names()) != len(want.Tensors) || len(want.Tensors) == 0 {
		t.Fatalf("tensors: expected %d, found %v", len(want.Tensors), f.Names())
	}
	if len(f.Metadata()) == 0 {
		t.Error("expected __metadata__")
	}
	for name, w := range want.Tensors {
		got, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if got.DType != w.DType || !slices.Equal(got.Shape, w.Shape) || got.Len() != len(w.Values) {
			t.Errorf("%s: expected %s %v, found %s %v of %d elements", name, w.DType, w.Shape, got.DType, got.Shape, got.Len())
			continue
		}
		values, err := got.Float32s()
		if got.DType.TorchName() == "" {
			if err == nil {
				t.Errorf("%s: expected an error for %s", name, got.DType)
			}
			if s := rawIntegers(got); !slices.Equal(s, w.Values) {
				t.Errorf("%s: expected %v, found %v", name, w.Values, s)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := got.CheckFinite(); err != nil {
			t.Error(err)
		}
		for i, v := range values {
			exact, _ := w.Values[i].Float64()
			if e := float32(exact); math.Float32bits(e) != math.Float32bits(v) {
				t.Errorf("%s[%d]: expected %v, found %v", name, i, e, v)
			}
		}
	}
	for i, bits := range want.Rounding.F32 {
		b, err := strconv.ParseUint(bits, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		v := math.Float32frombits(uint32(b))
		if got := fmt.Sprintf("%04x", Float32ToBF16(v)); got != want.Rounding.BF16[i] {
			t.Errorf("%s to BF16: expected %s, found %s", bits, want.Rounding.BF16[i], got)
		}
		if got := fmt.Sprintf("%04x", Float32ToF16(v)); got != want.Rounding.F16[i] {
			t.Errorf("%s to F16: expected %s, found %s", bits, want.Rounding.F16[i], got)
		}
	}
}

// rawIntegers reads the integer types of the fixture.
func rawIntegers(t Tensor) []json.Number {
	var out []json.Number
	size := t.DType.Size()
	for i := range t.Len() {
		var u uint64
		for j := range size {
			u |= uint64(t.Bytes()[i*size+j]) << (8 * j)
		}
		v := int64(u)
		if t.DType[0] == 'I' {
			v = v << (64 - 8*size) >> (64 - 8*size)
		}
		out = append(out, json.Number(strconv.FormatInt(v, 10)))
	}
	return out
}

func TestGoldenModels(t *testing.T) {
	for _, c := range []struct {
		name, arch                                 string
		hidden, layers, heads, kv, dim, ffn, vocab int
		theta, eps                                 float64
		tied, bias, norm                           bool
		dtype                                      string
		tensors                                    int
	}{
		{"qwen2-tied-f32", "qwen2", 64, 2, 4, 2, 16, 128, 256, 1e6, 1e-6, true, true, false, "float32", 2 + 2*12},
		{"qwen2-untied-bf16-sharded", "qwen2", 48, 3, 6, 2, 16, 112, 160, 1e4, 1e-6, false, true, false, "bfloat16", 3 + 3*12},
		{"llama-f16-odd", "llama", 60, 2, 5, 5, 12, 100, 199, 5e5, 1e-5, false, false, false, "float16", 3 + 2*9},
		{"qwen3-f32-sharded", "qwen3", 48, 2, 4, 1, 32, 96, 144, 1e6, 1e-6, true, false, true, "float32", 2 + 2*11},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := goldentest.Path(t, c.name)
			f, err := OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			embedded, err := OpenFS(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			bos := int32(1)
			want := Config{Architecture: c.arch, Hidden: c.hidden, Layers: c.layers, Heads: c.heads, KVHeads: c.kv, HeadDim: c.dim,
				FFN: c.ffn, Vocab: c.vocab, MaxPositions: 512, RopeTheta: c.theta, RMSEps: c.eps, TieEmbeddings: c.tied,
				QKVBias: c.bias, QKNorm: c.norm, EOS: []int32{2}, BOS: &bos}
			if !f.Config().sameFields(want) || f.Config().DType != c.dtype {
				t.Errorf("config: expected %+v, found %+v", want, f.Config())
			}
			if len(f.Names()) != c.tensors {
				t.Errorf("expected %d tensors, found %d: %v", c.tensors, len(f.Names()), f.Names())
			}
			for _, name := range f.Names() {
				a, err := f.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				b, err := embedded.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := a.CheckFinite(); err != nil {
					t.Error(err)
				}
				if a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) || !slices.Equal(a.Bytes(), b.Bytes()) {
					t.Errorf("%s: the mapped and the read folder differ", name)
				}
			}
		})
	}
}
