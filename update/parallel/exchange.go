package parallel

import (
	"fmt"
	"time"

	"openrs/stages/device"
)

// chunk is how many values of each part are moved at a time: it bounds the scratch memory.
const chunk = 1 << 22

// Exchange moves values between devices. It is used by one goroutine, while no other work of the devices
// is under way.
type Exchange struct {
	devs   []device.Device
	direct bool              // read each other's memory, all of them device.Peer
	sum    []device.Tensor   // scratch of each device, 1 × chunk
	in     []device.Tensor   // what has come from each, devices × chunk
	host   [][][]float32     // by sender and part, where direct is not possible
	owned  [][]device.Buffer // of each device
}

// width is how many values are moved at a time, of each of n parts of total values.
func width(total, n int) int {
	widest := 0
	for rank := range n {
		from, to := Part(total, rank, n)
		widest = max(widest, min(chunk, to-from))
	}
	return widest
}

// Scratch is how many bytes an [Exchange] among n devices takes on each of them.
func Scratch(total, n int) int64 {
	if n == 1 {
		return 0
	}
	return 4 * int64(1+n) * int64(width(total, n))
}

// NewExchange allocates scratch on the devices, for tensors of total values. Close frees it.
func NewExchange(devs []device.Device, total int) (*Exchange, error) {
	n := width(total, len(devs))
	x := &Exchange{devs: devs, host: make([][][]float32, len(devs)), owned: make([][]device.Buffer, len(devs))}
	for rank, dev := range devs {
		x.host[rank] = make([][]float32, len(devs))
		buf, err := dev.Alloc(max(1, (1+len(devs))*n))
		if err != nil {
			x.Close()
			return nil, fmt.Errorf("scratch to sum gradients on device %d, %s: %w", rank, dev.Name(), err)
		}
		x.owned[rank] = append(x.owned[rank], buf)
		x.sum, x.in = append(x.sum, device.View(buf, 0, 1, n)), append(x.in, device.View(buf, n, len(devs), n))
	}
	if err := x.choose(); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// choose takes the faster of the ways between the devices, by measuring them.
func (x *Exchange) choose() error {
	for _, dev := range x.devs {
		if p, ok := dev.(device.Peer); !ok || !p.Reaches(x.devs...) {
			return nil
		}
	}
	if len(x.devs) == 1 {
		return nil
	}
	var took [2]time.Duration
	for way := range took {
		x.direct = way == 1
		for range 2 { // the second time no memory is touched for the first time
			began := time.Now()
			if err := x.Gather(x.sum); err != nil {
				return err
			}
			took[way] = time.Since(began)
		}
	}
	x.direct = took[1] <= took[0]
	return nil
}

// Direct reports whether the devices read each other's memory.
func (x *Exchange) Direct() bool { return x.direct }

// Reduce leaves in each rank's tensor, in its [Part], the sum over all tensors, in order of rank. The rest
// of the tensors is left as it is. Tensors are 1 × total, one on each device.
func (x *Exchange) Reduce(tensors []device.Tensor) error {
	return x.chunks(tensors, func(at func(rank int) (from, to int)) error {
		if err := x.post(tensors, at, func(sender, part int) bool { return sender != part }); err != nil {
			return err
		}
		return Each(len(x.devs), func(rank int) error {
			dev := x.devs[rank]
			from, to := at(rank)
			parts := make([]device.Tensor, len(x.devs))
			for i := range x.devs {
				sender := x.turn(rank, i)
				if parts[sender] = x.in[rank].RowRange(sender, sender+1).ColRange(0, to-from); sender == rank {
					parts[sender] = tensors[rank].ColRange(from, to)
				} else if err := x.fetch(parts[sender], rank, tensors, sender, rank, at); err != nil {
					return err
				}
			}
			sum := x.sum[rank].ColRange(0, to-from)
			dev.Copy(sum, parts[0])
			for _, part := range parts[1:] {
				dev.ScatterAddRows(sum, part, []int32{0})
			}
			dev.Copy(parts[rank], sum)
			return dev.Sync()
		})
	})
}

// turn is the device that rank reads from in its i-th turn, of as many as there are devices: its own last, and in each turn
// every device is read from by one.
func (x *Exchange) turn(rank, i int) int { return (rank + 1 + i) % len(x.devs) }

// Gather copies each rank's [Part] of its tensor to the same place of all others.
func (x *Exchange) Gather(tensors []device.Tensor) error {
	return x.chunks(tensors, func(at func(rank int) (from, to int)) error {
		if err := x.post(tensors, at, func(sender, part int) bool { return sender == part }); err != nil {
			return err
		}
		return Each(len(x.devs), func(rank int) error {
			for i := range len(x.devs) - 1 {
				sender := x.turn(rank, i)
				from, to := at(sender)
				if err := x.fetch(tensors[rank].ColRange(from, to), rank, tensors, sender, sender, at); err != nil {
					return err
				}
			}
			return x.devs[rank].Sync()
		})
	})
}

// chunks calls f for one stretch of every rank's part after another.
func (x *Exchange) chunks(tensors []device.Tensor, f func(at func(rank int) (from, to int)) error) error {
	n, total := len(x.devs), tensors[0].Cols
	if x.direct { // nothing must be on its way on a device that others read from
		if err := Each(n, func(rank int) error { return x.devs[rank].Sync() }); err != nil {
			return err
		}
	}
	for start := 0; ; start += x.sum[0].Cols {
		at := func(rank int) (int, int) {
			from, to := Part(total, rank, n)
			return min(to, from+start), min(to, from+start+x.sum[0].Cols)
		}
		left := false
		for rank := range n {
			from, to := at(rank)
			left = left || from < to
		}
		if !left {
			return nil
		}
		if err := f(at); err != nil {
			return err
		}
	}
}

// post brings to the host, where devices can't read from each other, the parts of each sender's tensor that
// others want.
func (x *Exchange) post(tensors []device.Tensor, at func(rank int) (from, to int), wanted func(sender, part int) bool) error {
	if x.direct || len(x.devs) == 1 {
		return nil
	}
	return Each(len(x.devs), func(sender int) error {
		for part := range x.devs {
			if !wanted(sender, part) {
				continue
			}
			if x.host[sender][part] == nil {
				x.host[sender][part] = make([]float32, x.sum[sender].Cols)
			}
			from, to := at(part)
			if err := x.devs[sender].Download(x.host[sender][part][:to-from], tensors[sender].ColRange(from, to)); err != nil {
				return fmt.Errorf("device %d, %s: %w", sender, x.devs[sender].Name(), err)
			}
		}
		return nil
	})
}

// fetch sets dst, on rank's device, to a part of the sender's tensor.
func (x *Exchange) fetch(dst device.Tensor, rank int, tensors []device.Tensor, sender, part int, at func(rank int) (from, to int)) error {
	from, to := at(part)
	if x.direct {
		return x.devs[rank].(device.Peer).CopyFrom(dst, x.devs[sender], tensors[sender].ColRange(from, to))
	}
	x.devs[rank].Upload(dst, x.host[sender][part][:to-from])
	return nil
}

// Close frees the scratch.
func (x *Exchange) Close() {
	for rank, buffers := range x.owned {
		for _, b := range buffers {
			x.devs[rank].Free(b)
		}
	}
	x.owned = nil
}
