package model

import (
	"slices"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/devicetest"
)

// recorder notes what it is asked to replay, and does it.
type recorder struct {
	device.Device
	keys []string
}

func (r *recorder) Replay(key string, f func()) {
	r.keys = append(r.keys, key)
	f()
}

// Steps of decoding go through the device's Recorder, others do not; the logits are the same.
func TestDecodingIsReplayed(t *testing.T) {
	plain := newModel(t, devicetest.NewReference(), tiny("qwen2"), Options{})
	r := &recorder{Device: devicetest.NewReference()}
	replayed := newModel(t, r, tiny("qwen2"), Options{})
	var logits [2][]float32
	for i, m := range []*Model{plain, replayed} {
		if err := m.Init(3); err != nil {
			t.Fatal(err)
		}
		s := newRunner(t, m, 20)
		logits[i] = slices.Concat(s.logits([]int32{1, 2, 3, 4}), s.logits([]int32{5}), s.logits([]int32{6, 7}), s.logits([]int32{8}))
		s.step([]int32{9}, nil) // of which no logits are wanted
	}
	same(t, "logits", logits[1], logits[0])
	if want := []string{"decoding 1 sequences", "decoding 1 sequences"}; !slices.Equal(r.keys, want) {
		t.Errorf("replayed %q, expected %q", r.keys, want)
	}
}
