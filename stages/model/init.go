package model

import (
	"encoding/json"
	"hash/fnv"
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
	std := initializerRange(m.cfg.Raw)
	return m.replace(func(p Param) ([]float32, error) {
		v := make([]float32, p.Len())
		switch {
		case p.Decay:
			normal(v, std, seed, p.Name)
		case strings.HasSuffix(p.Name, ".weight"):
			for i := range v {
				v[i] = 1
			}
		}
		return v, nil
	}, nil)
}

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

// normal fills v with normal values of mean 0 and the given standard deviation.
func normal(v []float32, std float64, seed uint64, name string) {
	h := fnv.New64a()
	h.Write([]byte(name))
	base := seed ^ h.Sum64()
	blocks := (len(v) + initBlock - 1) / initBlock
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(blocks, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				b := int(next.Add(1)) - 1
				if b >= blocks {
					return
				}
				rng := rand.New(rand.NewPCG(base, uint64(b)))
				for i := b * initBlock; i < min(len(v), (b+1)*initBlock); i++ {
					v[i] = float32(std * rng.NormFloat64())
				}
			}
		})
	}
	wg.Wait()
}
