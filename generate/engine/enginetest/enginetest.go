// Package enginetest gives tests an engine on the model that ships with openrs.
package enginetest

import (
	"testing"

	"openrs/generate/engine"
	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/model"
	"openrs/stages/pretrained"
)

// Tiny is the model `tiny` in float32 on two CPU threads of its own, and an engine that samples from it.
type Tiny struct {
	Source *pretrained.Model
	Model  *model.Model
	Engine *engine.Engine
}

// Open makes a Tiny that is closed at the end of the test.
func Open(t *testing.T, opt engine.Options) *Tiny {
	t.Helper()
	source, err := pretrained.Open(pretrained.Tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(dev, source.Config, model.Options{DType: device.F32})
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Load(m); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(); m.Close(); dev.Close(); source.Close() })
	return &Tiny{source, m, e}
}
