//go:build cuda

package cuda

import (
	"testing"

	"openrs/stages/device"
)

// BenchmarkOperations is what operations cost the caller and the device's thread together: 400 of them, each a launch, of
// which a quarter have indices, and the wait, as in a step of decoding. The GPU has next to nothing to do.
func BenchmarkOperations(b *testing.B) {
	d := openDevice(b, Options{})
	buf, err := d.Alloc(1 << 12)
	if err != nil {
		b.Fatal(err)
	}
	x := device.View(buf, 0, 2, 1<<10)
	y := device.View(buf, 1<<11, 2, 1<<10)
	rows := make([]int32, 256)
	for b.Loop() {
		rows[0]++
		for i := range 400 {
			if i%4 == 0 {
				d.ints(rows)
			}
			d.Copy(y.ColRange(0, 4), x.ColRange(4, 8))
		}
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
