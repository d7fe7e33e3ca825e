package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// DType is the type of a tensor's elements, written as in a safetensors header.
type DType string

// The element types whose values this package converts from and to float32 (F64 only from).
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

// dtypes lists the element types of the safetensors format that take whole bytes, their size, and
// the name that config.json uses for them ("" where a model is never stored in it).
var dtypes = map[DType]struct {
	bytes int
	torch string
}{
	F64: {8, "float64"}, F32: {4, "float32"}, F16: {2, "float16"}, BF16: {2, "bfloat16"},
	"I64": {bytes: 8}, "U64": {bytes: 8}, "I32": {bytes: 4}, "U32": {bytes: 4},
	"I16": {bytes: 2}, "U16": {bytes: 2}, "I8": {bytes: 1}, "U8": {bytes: 1}, "BOOL": {bytes: 1},
	"F8_E4M3": {bytes: 1}, "F8_E5M2": {bytes: 1}, "F8_E8M0": {bytes: 1}, "C64": {bytes: 8},
}

// Size is the number of bytes of one element, 0 for an unknown type.
func (d DType) Size() int { return dtypes[d].bytes }

// TorchName is the name that config.json uses for the type ("bfloat16"), "" where it has none.
func (d DType) TorchName() string { return dtypes[d].torch }

// ParseDType finds the floating-point type with the given name, in either spelling and any case:
// "BF16", "bf16", "bfloat16", "torch.bfloat16".
func ParseDType(name string) (DType, error) {
	short := strings.TrimPrefix(strings.ToLower(name), "torch.")
	for _, d := range []DType{F64, F32, F16, BF16} {
		if short == strings.ToLower(string(d)) || short == d.TorchName() {
			return d, nil
		}
	}
	return "", fmt.Errorf("unknown data type %q: expected one of float64, float32, float16, bfloat16", name)
}

// BF16ToFloat32 widens a bfloat16 bit pattern; every value has an exact float32.
func BF16ToFloat32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// Float32ToBF16 rounds to the nearest bfloat16, ties to even; overflow becomes infinity and NaN
// stays NaN.
func Float32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40 // quiet, so that dropping the low half can't leave an infinity
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// F16ToFloat32 widens an IEEE half-precision bit pattern; every value has an exact float32.
func F16ToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // zero and subnormals: frac · 2⁻²⁴, exact in float32
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(f))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// Float32ToF16 rounds to the nearest IEEE half, ties to even; overflow becomes infinity and NaN
// stays NaN.
func Float32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13&0x3ff)
	case b >= 0x47800000: // 65536 and more, infinity included
		return sign | 0x7c00
	case b >= 0x38800000: // normal halves: rebias, then round off 13 bits; a carry runs into the exponent
		b -= 112 << 23
		return sign | uint16((b+0xfff+b>>13&1)>>13)
	case b < 0x33000000: // below half of the smallest subnormal
		return sign
	}
	// Subnormal halves: value = frac · 2^(exp−150), wanted in units of 2⁻²⁴.
	frac := b&0x7fffff | 0x800000
	shift := 126 - b>>23 // 14 … 24
	half := uint32(1) << (shift - 1)
	return sign | uint16((frac+half-1+frac>>shift&1)>>shift)
}

// decode widens raw little-endian elements into dst; false when the type is not a floating-point one.
func decode(dst []float32, d DType, raw []byte) bool {
	switch d {
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = F16ToFloat32(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = BF16ToFloat32(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	default:
		return false
	}
	return true
}

// encode rounds src to the type and appends the little-endian bytes to dst.
func encode(dst []byte, d DType, src []float32) []byte {
	switch d {
	case F32:
		for _, f := range src {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
		}
	case F16:
		for _, f := range src {
			dst = binary.LittleEndian.AppendUint16(dst, Float32ToF16(f))
		}
	case BF16:
		for _, f := range src {
			dst = binary.LittleEndian.AppendUint16(dst, Float32ToBF16(f))
		}
	default:
		panic(fmt.Sprintf("checkpoint: no encoding of float32 as %s", d))
	}
	return dst
}
