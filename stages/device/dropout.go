package device

// Dropout is the rule by which [Backward].Dropout drops elements: a pure function of seed, row and column,
// so that no mask is stored and every device, thread and batch finds the same one.
//
// Each row has a generator, SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number
// Generators), whose start is made of the seed and the row's number; its draw j decides columns 2j, by
// the low 32 bits, and 2j+1, by the high ones. An element is dropped if its bits are below Threshold.
type Dropout struct {
	Seed      uint64
	Threshold uint32
	Scale     float32 // of what is kept
}

// NewDropout returns the rule that drops a share, at least 0 and less than 1, of the elements and divides
// the others by what is left of it.
func NewDropout(rate float32, seed uint64) Dropout {
	return Dropout{Seed: seed, Threshold: uint32(float64(rate) * (1 << 32)), Scale: float32(1 / (1 - float64(rate)))}
}

// Row is the start of a row's generator.
func (d Dropout) Row(number int32) uint64 { return mix(d.Seed + golden*(uint64(uint32(number))+1)) }

// DropoutDraw is draw j, from 0, of the generator of a row.
func DropoutDraw(row uint64, j int) uint64 { return mix(row + golden*(uint64(j)+1)) }

// golden is 2⁶⁴ divided by the golden ratio, made odd.
const golden = 0x9e3779b97f4a7c15

// mix is SplitMix64's output function.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
