package main

import (
	"slices"
	"testing"
)

func TestChanged(t *testing.T) {
	before := map[string]string{"device": "cpu:0-1", "gradient-shards": "2", "lr": "1e-06", "threads": "4", "loss": "grpo"}
	for _, c := range []struct {
		name string
		now  map[string]string
		want []string
	}{
		{"nothing", before, nil},
		{"one device computes both shards", map[string]string{"device": "cpu", "gradient-shards": "2", "lr": "1e-06"}, nil},
		{"one device and one shard", map[string]string{"device": "cpu", "gradient-shards": "1"}, []string{"gradient-shards"}},
		{"more devices", map[string]string{"device": "cpu:0-2", "gradient-shards": "3"}, []string{"gradient-shards"}},
		{"devices of another kind", map[string]string{"device": "cuda:0-1", "gradient-shards": "2"}, []string{"device"}},
		{"in order", map[string]string{"lr": "2e-06", "loss": "dapo"}, []string{"loss", "lr"}},
		{"what does not matter", map[string]string{"threads": "1"}, nil},
		{"new", map[string]string{"beta": "0.1"}, nil},
	} {
		if got := changed(before, c.now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
