//go:build !linux

package cpu

// FreeMemory implements device.Capacity: not known here.
func (d *Device) FreeMemory() int64 { return 0 }
