package train

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/device/testdevice"
	"openrs/update/grpo"
)

// newShared makes a trainer of the tiny model on n devices of one thread each.
func newShared(t *testing.T, n, shards int, recompute bool) *Trainer {
	t.Helper()
	var devices []device.Device
	for rank := range n {
		devices = append(devices, testdevice.Open(t, rank, 1, device.F32))
	}
	return newTrainerOn(t, devices, open(t, shape, 1), Options{Optimizer: settings(), TokenBudget: 40, Shards: shards, Recompute: recompute})
}

// several groups of different lengths, one without a gradient.
var several = []groupSpec{
	{id: "a", advantages: []float32{1, -1, 0.5}}, {id: "b", advantages: []float32{-0.5, 1}}, {id: "c", advantages: []float32{0, 0}},
	{id: "d", advantages: []float32{2, -1, -1, 0}}, {id: "e", advantages: []float32{1, -2}}, {id: "f", advantages: []float32{0.25, -0.75, 0.5}},
}

// TestShards: several devices make the same updates, bit for bit, as one that computes as many shards,
// and report the same metrics; against one shard they differ by rounding.
func TestShards(t *testing.T) {
	config := grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2, Beta: 0.04}
	for _, n := range []int{2, 3, 4} {
		train := func(tr *Trainer) []map[string]float64 {
			g := &GRPO{Live: true, Trainer: tr, Objective: objective(t, config), Reference: newReference(t, tr, 1), OnPolicy: true, Iterations: 2}
			var all []map[string]float64
			for step := range int64(3) {
				specs := several
				if step == 1 {
					specs = several[:1] // fewer groups than devices
				}
				all = append(all, run(t, g, makeStep(t, tr, step, specs...)))
			}
			return all
		}
		whole, one, many := newShared(t, 1, 1, false), newShared(t, 1, n, false), newShared(t, n, 0, true)
		first, want, got := train(whole), train(one), train(many)
		for rank := range many.replicas {
			sameBits(t, "weights", weightsOf(t, many, rank), weights(t, one))
		}
		for step := range got {
			for name, v := range want[step] {
				if got[step][name] != v {
					t.Errorf("%d devices, step %d: %s is %v, one device has %v", n, step, name, got[step][name], v)
				}
				near(t, name, v, first[step][name], 2e-4)
			}
		}
		a, err := many.moments()
		if err != nil {
			t.Fatal(err)
		}
		b, err := one.moments()
		if err != nil {
			t.Fatal(err)
		}
		sameBits(t, "first moments", a.M, b.M)
		sameBits(t, "second moments", a.V, b.V)
	}
}

func weightsOf(t *testing.T, tr *Trainer, rank int) []float32 {
	t.Helper()
	return weights(t, &Trainer{replicas: tr.replicas[rank : rank+1]})
}

// TestShardsResume: a checkpoint of three devices goes on with one, to the same weights.
func TestShardsResume(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checkpoints")
	many := newShared(t, 3, 0, false)
	step := func(tr *Trainer, number int64) {
		run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true}, makeStep(t, tr, number, several...))
	}
	step(many, 0)
	if err := many.Save(dir, State{Step: 1, NextSequence: 1}, 0); err != nil {
		t.Fatal(err)
	}
	one := newShared(t, 1, 3, false)
	folder, err := Latest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Restore(folder); err != nil {
		t.Fatal(err)
	}
	step(many, 1)
	step(one, 1)
	sameBits(t, "weights", weights(t, one), weights(t, many))
	if one.Updates() != 2 || many.Updates() != 2 {
		t.Errorf("%d and %d updates", one.Updates(), many.Updates())
	}
}

// lazy is a device that reads others' memory and whose updates of parameters are done after a Sync only.
type lazy struct {
	*cpu.Device
	t       *testing.T
	pending atomic.Bool // read by others
}

func (l *lazy) AdamW(params, grads, m, v device.Tensor, s device.AdamWStep) {
	l.pending.Store(true)
	l.Device.AdamW(params, grads, m, v, s)
}

func (l *lazy) Sync() error {
	l.pending.Store(false)
	return l.Device.Sync()
}

// Download is slow, so that the way through the host is not taken.
func (l *lazy) Download(dst []float32, src device.Tensor) error {
	time.Sleep(20 * time.Millisecond)
	return l.Device.Download(dst, src)
}

func (l *lazy) Reaches(...device.Device) bool { return true }

func (l *lazy) CopyFrom(dst device.Tensor, from device.Device, src device.Tensor) error {
	if from.(*lazy).pending.Load() {
		l.t.Error("parameters are read that are being updated")
	}
	values := make([]float32, src.Len())
	if err := from.(*lazy).Device.Download(values, src); err != nil {
		return err
	}
	l.Upload(dst, values)
	return nil
}

// TestSyncBeforeGather: devices that read each other's parameters wait for each other's updates.
func TestSyncBeforeGather(t *testing.T) {
	var devices []device.Device
	for range 2 {
		dev, err := cpu.New(cpu.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dev.Close() })
		devices = append(devices, &lazy{Device: dev, t: t})
	}
	tr := newTrainerOn(t, devices, open(t, shape, 1), Options{Optimizer: settings(), TokenBudget: 40})
	if !tr.exchange.Direct() {
		t.Fatal("the devices don't read each other's memory")
	}
	run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true}, makeStep(t, tr, 0, several...))
}

func TestBadShards(t *testing.T) {
	dev := newDevice(t)
	for _, c := range []struct{ devices, shards int }{{1, -1}, {2, 3}, {2, 1}} {
		devices := []device.Device{dev, dev}[:c.devices]
		if tr, err := New(devices, open(t, shape, 1), Options{Optimizer: settings(), TokenBudget: 40, Shards: c.shards}); err == nil {
			tr.Close()
			t.Errorf("%d shards on %d devices are taken", c.shards, c.devices)
		}
	}
}
