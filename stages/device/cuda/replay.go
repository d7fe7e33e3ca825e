//go:build cuda

package cuda

import (
	"log/slog"
	"slices"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// A step of decoding is hundreds of short launches, which cost the processor more time than the GPU. Most steps launch
// the same as the one before, if what changes (tokens, positions, page tables) lies at the same addresses. So Replay holds
// launches back, with indices laid out in a block of memory of their own, and compares them with those of the last
// Replay of the key. In the end the block is sent, and then one CUDA graph stands for all launches if they are the same
// once more; if not, they go out one by one. A graph therefore only ever runs when just its launches have been asked for.
//
// Whatever else reaches the stream (a copy, a wait, the end of memory that is in use) must find there what has been asked for
// before it: it calls settle first. Only allocations need not.

// replays is the state of Replay.
type replays struct {
	recordings map[string]*recording
	now        *recording // of the Replay under way, until it is settled
	clock      int        // Replays so far
	off        bool

	block  piece   // where launches of recordings find their indices
	image  []int32 // what is to be there
	wanted int     // how many values there should be room for

	launched Launched
}

// recording is what the last Replay of a key asked for.
type recording struct {
	key      string
	launches []driver.Launch
	calls    []int  // of ints: number of the slot
	slots    []slot // in the order of their first use
	graph    *driver.Graph
	repeats  int // how often all launches were as before
	used     int // clock of the last Replay

	// Of the Replay under way: how much of each has been asked for, and whether any launch was a new one.
	launched, called, filled int
	differs                  bool
}

// slot is part of the block. Other slices than values may go there in the next Replay, with up to room values.
type slot struct {
	start, room int
	values      []int32
}

const (
	firstRoom = 1 << 16 // values of the block, if there need not be more
	mostRoom  = 1 << 22
	// Making a graph takes as long as some launches of all of it.
	repeatsBefore = 2
	mostGraphs    = 32
)

// Launched counts what a device has put into its stream.
type Launched struct {
	Kernels int64 // launches, those of graphs not counted
	Graphs  int64 // launches of graphs
	Made    int64 // graphs made
}

// Launched returns the counts so far.
func (d *Device) Launched() Launched { return d.replay.launched }

var _ device.Recorder = (*Device)(nil)

// Replay implements [device.Recorder] by CUDA graphs, of which the device keeps those of the keys used last. With
// Options.Blocking it just calls f.
func (d *Device) Replay(key string, f func()) {
	d.open("Replay")
	r := &d.replay
	if r.off || r.now != nil || !d.roomForIndices() {
		f()
		return
	}
	rec := d.recordingOf(key)
	rec.launched, rec.called, rec.filled, rec.differs = 0, 0, 0, false
	r.now = rec
	defer func() {
		if r.now != nil { // f has panicked
			r.now = nil
			d.drop(rec)
		}
	}()
	f()
	if r.now == nil {
		return
	}
	r.now = nil
	d.op = "graph " + key
	if d.repeats(rec) {
		d.sendIndices(rec)
		g := rec.graph
		d.ctx.Send(d.op, func() error { return d.ctx.Replay(g, d.stream) })
		r.launched.Graphs++
		return
	}
	d.launchAll(rec)
}

// repeats ends a Replay and reports whether there is a graph of just its launches.
func (d *Device) repeats(rec *recording) bool {
	rec.calls = rec.calls[:rec.called]
	rec.slots = rec.slots[:rec.filled]
	if rec.differs || rec.launched < len(rec.launches) {
		rec.launches = rec.launches[:rec.launched]
		rec.repeats = 0
		d.dropGraph(rec)
		return false
	}
	rec.repeats++
	if rec.graph != nil || rec.repeats < repeatsBefore || len(rec.launches) == 0 {
		return rec.graph != nil
	}
	err := d.ctx.Do(d.op, func() error {
		var err error
		rec.graph, err = d.ctx.Capture(d.op, d.stream, rec.launches)
		return err
	})
	if err != nil {
		if d.ctx.Fault() == nil {
			slog.Warn("launching kernels one by one", "error", err)
		}
		d.replay.off = true
		return false
	}
	d.replay.launched.Made++
	return true
}

// settle puts what has been held back into the stream; the rest of the Replay under way, if there is one, goes there
// directly.
func (d *Device) settle() {
	if rec := d.replay.now; rec != nil {
		d.replay.now = nil
		d.launchAll(rec)
		d.drop(rec)
	}
}

// launchAll launches what has been asked for one by one.
func (d *Device) launchAll(rec *recording) {
	d.sendIndices(rec)
	for i := range rec.launches[:rec.launched] {
		d.ctx.Launch(&rec.launches[i])
	}
	d.replay.launched.Kernels += int64(rec.launched)
}

// sendIndices sends the block.
func (d *Device) sendIndices(rec *recording) {
	if rec.filled > 0 {
		last := rec.slots[rec.filled-1]
		d.send(d.replay.block.addr, bytesOf(d.replay.image[:last.start+len(last.values)]))
	}
}

// roomForIndices makes the block as large as wanted and reports whether there is one.
func (d *Device) roomForIndices() bool {
	r := &d.replay
	n := max(r.wanted, firstRoom)
	if len(r.image) >= n {
		return true
	}
	d.dropRecordings()
	addr, err := d.allocate(4*int64(n), "room for indices of graphs")
	if err != nil {
		r.off = true
		return false
	}
	r.block, r.image = piece{addr, 4 * int64(n)}, make([]int32, n)
	return true
}

// recordingOf returns the recording of a key, which may be a new one.
func (d *Device) recordingOf(key string) *recording {
	r := &d.replay
	rec := r.recordings[key]
	if rec == nil {
		if len(r.recordings) == mostGraphs {
			var oldest *recording
			for _, o := range r.recordings {
				if oldest == nil || o.used < oldest.used {
					oldest = o
				}
			}
			d.drop(oldest)
		}
		if r.recordings == nil {
			r.recordings = map[string]*recording{}
		}
		rec = &recording{key: key}
		r.recordings[key] = rec
	}
	r.clock++
	rec.used = r.clock
	return rec
}

// drop forgets a recording.
func (d *Device) drop(rec *recording) {
	d.dropGraph(rec)
	delete(d.replay.recordings, rec.key)
}

func (d *Device) dropGraph(rec *recording) {
	if g := rec.graph; g != nil {
		rec.graph = nil
		d.ctx.SendAlways("graph", g.Destroy)
	}
}

// dropRecordings forgets all recordings and frees the block.
func (d *Device) dropRecordings() {
	r := &d.replay
	for _, rec := range r.recordings {
		d.drop(rec)
	}
	d.free(r.block.addr, r.block.bytes)
	r.block, r.image = piece{}, nil
}

// hold takes a launch.
func (rec *recording) hold(l *driver.Launch) {
	if rec.launched < len(rec.launches) && rec.launches[rec.launched] == *l {
		rec.launched++
		return
	}
	rec.differs = true
	rec.launches = append(rec.launches[:rec.launched], *l)
	rec.launched++
}

// place takes a slice of ints and returns where it will be in the block, or false if there is no room.
func (r *replays) place(xs []int32) (uint64, bool) {
	rec := r.now
	if rec.called < len(rec.calls) {
		i := rec.calls[rec.called]
		s := &rec.slots[i]
		if i == rec.filled && len(xs) <= s.room {
			return r.fill(i, xs), true
		}
		if i < rec.filled && (same(s.values, xs) || slices.Equal(s.values, xs)) {
			return r.reuse(i), true
		}
		rec.calls, rec.slots = rec.calls[:rec.called], rec.slots[:rec.filled]
	}
	// Slices that are only equal, and perhaps by chance, get slots of their own.
	for i := range rec.slots[:rec.filled] {
		if same(rec.slots[i].values, xs) {
			rec.calls = append(rec.calls, i)
			return r.reuse(i), true
		}
	}
	next := slot{room: max(roomy(len(xs)), 64)}
	if rec.filled > 0 {
		last := rec.slots[rec.filled-1]
		next.start = last.start + (last.room+63)&^63
	}
	if next.start+next.room > len(r.image) {
		r.wanted = min(2*max(len(r.image), next.start+next.room), mostRoom)
		return 0, false
	}
	rec.slots = append(rec.slots[:rec.filled], next)
	rec.calls = append(rec.calls, rec.filled)
	return r.fill(rec.filled, xs), true
}

// fill puts xs into slot i, which has been the next one, and reuse finds it there.
func (r *replays) fill(i int, xs []int32) uint64 {
	s := &r.now.slots[i]
	s.values = xs
	copy(r.image[s.start:], xs)
	r.now.filled++
	return r.reuse(i)
}

func (r *replays) reuse(i int) uint64 {
	r.now.called++
	return r.block.addr + 4*uint64(r.now.slots[i].start)
}

// same reports whether a and b are one slice.
func same(a, b []int32) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
