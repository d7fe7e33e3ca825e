//go:build cuda

package cuda

import (
	"fmt"
	"log/slog"

	"openrs/stages/device"
)

var _ device.Peer = (*Device)(nil)

// Reaches implements [device.Peer]. It opens the way to the memory of the other GPUs if there is one: over NVLink, or over PCIe
// where the machine allows it.
func (d *Device) Reaches(devices ...device.Device) bool {
	d.open("Reaches")
	for _, other := range devices {
		o, ok := other.(*Device)
		if !ok {
			return false
		}
		if o.info.Ordinal == d.info.Ordinal {
			continue // a GPU reaches its own memory
		}
		switch linked, err := d.ctx.EnablePeer(o.ctx); {
		case err != nil:
			slog.Warn("GPUs can't read each other's memory; the host passes it on", "error", err)
			return false
		case !linked:
			return false
		}
	}
	return true
}

// CopyFrom implements [device.Peer]: the copy is in order with what else is enqueued on d, and returns at once. A fault
// shows at Sync.
func (d *Device) CopyFrom(dst device.Tensor, from device.Device, src device.Tensor) error {
	o, ok := from.(*Device)
	if !ok {
		return fmt.Errorf("cuda:%d: copy from %s: it is no GPU", d.info.Ordinal, from.Name())
	}
	y, x := d.view("CopyFrom", "dst", dst), o.view("CopyFrom", "src", src)
	if y.rows != x.rows || y.cols != x.cols {
		device.Mismatch("CopyFrom", "dst", dst, "src", src)
	}
	d.begin("CopyFrom")
	d.settle()
	rows, n := y.rows, 4*int64(y.cols)
	if rows == 0 || n == 0 {
		return nil
	}
	if rows == 1 || y.stride == y.cols && x.stride == x.cols {
		rows, n = 1, n*int64(rows)
	}
	d.ctx.Send("CopyFrom", func() error {
		for r := range uint64(rows) {
			if err := d.stream.CopyPeer(y.addr+4*r*uint64(y.stride), d.ctx, x.addr+4*r*uint64(x.stride), o.ctx, n); err != nil {
				return fmt.Errorf("from cuda:%d: %w", o.info.Ordinal, err)
			}
		}
		return nil
	})
	return d.ctx.Fault()
}
