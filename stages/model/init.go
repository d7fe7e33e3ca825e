package model

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Init sets random weights, as Hugging Face initialises them before training: matrices are normal with
// the configuration's initializer_range (0.02 where it is silent) as standard deviation, norms are one,
// biases zero. The values depend on the seed and the parameter's name and size only.
func (m *Model) Init(seed uint64) error {
	return m.replace(drawn{std: initializerRange(m.cfg.Raw), seed: seed})
}

// drawn are random values.
type drawn struct {
	std  float64
	seed uint64
}

func (d drawn) read(p Param, from int, dst []float32) error {
	switch {
	case p.Decay:
		d.normal(dst, p, from)
	case strings.HasSuffix(p.Name, ".weight"):
		for i := range dst {
			dst[i] = 1
		}
	default:
		clear(dst)
	}
	return nil
}

// drawnAdapter are random values of adapters.
type drawnAdapter struct{ seed uint64 }

func (d drawnAdapter) read(p Param, from int, dst []float32) error {
	if _, isB, _ := Target(p.Name); isB {
		clear(dst)
		return nil
	}
	rng := rand.New(rand.NewPCG(d.seed, salt(p.Name)))
	bound := 1 / math.Sqrt(float64(p.Shape[1]))
	for i := range from + len(dst) {
		if v := float32(bound * (2*rng.Float64() - 1)); i >= from {
			dst[i-from] = v
		}
	}
	return nil
}

func (drawnAdapter) bf16(Param, int, int, func([]byte)) bool { return false }

func (drawn) bf16(Param, int, int, func([]byte)) bool { return false }

func initializerRange(raw map[string]any) float64 {
	if n, ok := raw["initializer_range"].(json.Number); ok {
		if x, err := n.Float64(); err == nil && x > 0 {
			return x
		}
	}
	return 0.02
}

// initBlock values come from one generator, so that threads can share the work and the values do not
// depend on how many there are.
const initBlock = 1 << 16

// normal sets dst to the normal values, of mean 0, of p's elements from one on.
func (d drawn) normal(dst []float32, p Param, from int) {
	base, end := d.seed^salt(p.Name), from+len(dst)
	var next atomic.Int64
	next.Store(int64(from / initBlock))
	var wg sync.WaitGroup
	for range min((len(dst)+initBlock-1)/initBlock, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				b := int(next.Add(1)) - 1
				if b*initBlock >= end {
					return
				}
				rng := rand.New(rand.NewPCG(base, uint64(b)))
				for i := b * initBlock; i < min(end, (b+1)*initBlock); i++ {
					if v := float32(d.std * rng.NormFloat64()); i >= from {
						dst[i-from] = v
					}
				}
			}
		})
	}
	wg.Wait()
}
