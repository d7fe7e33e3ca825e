package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// blob is a safetensors file with the given header text and n bytes of data.
func blob(header string, n int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	out = append(out, header...)
	return append(out, make([]byte, n)...)
}

func TestParseTensorsRefusals(t *testing.T) {
	one := `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for _, c := range []struct {
		name string
		data []byte
		want string // "" means accepted
	}{
		{"fine", blob("{"+one+"}  ", 8), ""},
		{"no tensors", blob("{}", 0), ""},
		{"null shape entry order", blob(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]},`+one+`}`, 9), ""},
		{"empty tensor between", blob(`{"e":{"dtype":"F32","shape":[0,3],"data_offsets":[8,8]},`+one+`,"c":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}`, 9), ""},
		{"empty file", nil, "at least 8 bytes"},
		{"length beyond the file", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), '{'), "only 1 bytes follow"},
		{"truncated header", blob("{"+one+"}", 8)[:20], "only 12 bytes follow"},
		{"truncated data", blob("{"+one+"}", 7), `tensor "a": bytes 0 to 8 lie outside the 7 bytes`},
		{"data left over", blob("{"+one+"}", 9), "1 bytes of data follow"},
		{"not an object", blob("[]", 0), "expected a JSON object"},
		{"leading space", blob(" {}", 0), "expected a JSON object"},
		{"text behind", blob("{}x", 0), "padding"},
		{"wrong length", blob(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "takes 12 bytes, found 8"},
		{"unknown type", blob(`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,8]}}`, 8), `unsupported data type "F4"`},
		{"negative size", blob(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}`, 8), "shape"},
		{"overflow", blob(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too large"},
		{"reversed", blob(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "outside"},
		{"overlap", blob(`{`+one+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), "inside the tensor before it"},
		{"gap", blob(`{`+one+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}`, 20), "without gaps"},
		{"first gap", blob(`{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "without gaps"},
		{"twice", blob(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0), "twice"},
		{"missing field", blob(`{"a":{"dtype":"F32","shape":[2]}}`, 8), "data_offsets is missing"},
		{"more fields", blob(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8), "found 4 fields"},
		{"offsets of three", blob(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}`, 8), "expected 2 numbers"},
		{"metadata of numbers", blob(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
	} {
		_, err := ParseTensors("x.safetensors", c.data)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "x.safetensors")):
			t.Errorf("%s: expected %q, found %v", c.name, c.want, err)
		}
	}
}

func TestWriteTensors(t *testing.T) {
	tensors := []NamedTensor{
		{Name: "z", Shape: []int{2, 2}, Values: []float32{1, -2.5, 3, float32(math.Inf(1))}},
		{Name: "scalar", Values: []float32{7}},
		{Name: "empty", Shape: []int{0, 5}},
		{Name: `quo"te`, Shape: []int{1}, Read: func() ([]float32, error) { return []float32{-0.5}, nil }},
	}
	for _, d := range []DType{F32, BF16, F16} {
		var a, b bytes.Buffer
		for _, w := range []*bytes.Buffer{&a, &b} {
			if err := WriteTensors(w, tensors, d, map[string]string{"step": "3", "by": "test"}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two writes differ", d)
		}
		if n := binary.LittleEndian.Uint64(a.Bytes()); n%8 != 0 {
			t.Errorf("%s: the header is %d bytes long, expected a multiple of 8", d, n)
		}
		f, err := ParseTensors("t", a.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Names(), []string{"z", "scalar", "empty", `quo"te`}) {
			t.Errorf("order: found %v", f.Names())
		}
		if m := f.Metadata(); m["format"] != "pt" || m["step"] != "3" {
			t.Errorf("metadata: found %v", m)
		}
		for _, want := range tensors {
			got, err := f.Tensor(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			values, err := got.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			if want.Read != nil {
				want.Values, _ = want.Read()
			}
			if !slices.Equal(values, want.Values) || !slices.Equal(got.Shape, want.Shape) {
				t.Errorf("%s: expected %v %v, found %v %v", want.Name, want.Shape, want.Values, got.Shape, values)
			}
		}
		z, _ := f.Tensor("z")
		if err := z.CheckFinite(); err == nil || !strings.Contains(err.Error(), "element 3") {
			t.Errorf("expected an error about element 3, found %v", err)
		}
	}
	failed := errors.New("device lost")
	for name, bad := range map[string][]NamedTensor{
		"twice":     {{Name: "a", Shape: []int{0}}, {Name: "a", Shape: []int{0}}},
		"elements":  {{Name: "a", Shape: []int{3}, Values: []float32{1}}},
		"negative":  {{Name: "a", Shape: []int{-1}}},
		"reserved":  {{Name: "__metadata__"}},
		"too large": {{Name: "a", Shape: []int{math.MaxInt, 8}}},
		"device":    {{Name: "a", Shape: []int{3}, Read: func() ([]float32, error) { return nil, failed }}},
	} {
		if err := WriteTensors(&bytes.Buffer{}, bad, F32, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: found %v", name, err)
		}
	}
	if err := WriteTensors(&bytes.Buffer{}, nil, F64, nil); err == nil {
		t.Error("F64: expected an error")
	}
}

func FuzzParseTensors(f *testing.F) {
	f.Add(blob(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(blob(`{"__metadata__":{"a":"b"},"s":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}`, 2))
	f.Add(blob(`{"a":{"dtype":"I64","shape":[1,0],"data_offsets":[0,0]}}`, 0))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseTensors("f", data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("expected ErrFormat, found %v", err)
			}
			return
		}
		total := 0
		for _, name := range file.Names() {
			tensor, err := file.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if n := elements(tensor.Shape) * tensor.DType.Size(); n != len(tensor.Bytes()) {
				t.Fatalf("%s: shape %v and %d bytes", name, tensor.Shape, len(tensor.Bytes()))
			}
			total += len(tensor.Bytes())
			if tensor.DType.TorchName() != "" {
				if _, err := tensor.Float32s(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if head := int(binary.LittleEndian.Uint64(data)); 8+head+total != len(data) {
			t.Fatalf("%d bytes of %d are accounted for", 8+head+total, len(data))
		}
	})
}
