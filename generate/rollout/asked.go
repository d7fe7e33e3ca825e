package rollout

import (
	"fmt"
	"math"
	"strconv"

	"openrs/schemas"
	"openrs/stages"
)

// asked is what of a problem is to be sampled, and how: as the worker's options say, unless the row
// itself says otherwise in its metadata.
type asked struct {
	first        int32 // the first sample's number
	count        int   // samples
	maxNewTokens int
	temperature  float32
	topK         int
	topP, minP   float32
	seed         int64
}

// asks reads a row's metadata.
func (o Options) asks(p schemas.Problem) (asked, error) {
	a := asked{
		count: o.GroupSize, maxNewTokens: o.MaxNewTokens, temperature: o.Temperature,
		topK: o.TopK, topP: o.TopP, minP: o.MinP, seed: o.Seed,
	}
	m := metadata{p: p}
	a.first = int32(m.whole(stages.MetaSample, int64(a.first), 0, math.MaxInt32))
	a.count = int(m.whole(stages.MetaSamples, int64(a.count), 1, math.MaxInt32))
	a.maxNewTokens = int(m.whole(stages.MetaMaxNewTokens, int64(a.maxNewTokens), 1, math.MaxInt32))
	a.topK = int(m.whole(stages.MetaTopK, int64(a.topK), 0, math.MaxInt32))
	a.seed = m.whole(stages.MetaSeed, a.seed, math.MinInt64, math.MaxInt64)
	a.temperature = m.number(stages.MetaTemperature, a.temperature, math.MaxFloat32)
	a.topP = m.number(stages.MetaTopP, a.topP, 1)
	a.minP = m.number(stages.MetaMinP, a.minP, 1)
	return a, m.err
}

// metadata reads numbers from a problem's metadata and keeps the first error.
type metadata struct {
	p   schemas.Problem
	err error
}

func (m *metadata) bad(key, expected string) {
	if m.err == nil {
		m.err = fmt.Errorf("problem %s: metadata %s is %q, expected %s", m.p.ProblemID, key, m.p.Metadata[key], expected)
	}
}

// whole is the whole number under key, or fallback when there is none.
func (m *metadata) whole(key string, fallback, low, high int64) int64 {
	text, ok := m.p.Metadata[key]
	if !ok {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n >= low && n <= high {
		return n
	}
	if high == math.MaxInt64 {
		m.bad(key, "a whole number")
	} else {
		m.bad(key, fmt.Sprintf("a whole number from %d", low))
	}
	return fallback
}

// number is the number from 0 to high under key, or fallback when there is none.
func (m *metadata) number(key string, fallback float32, high float64) float32 {
	text, ok := m.p.Metadata[key]
	if !ok {
		return fallback
	}
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && x >= 0 && x <= high {
		return float32(x)
	}
	if high == 1 {
		m.bad(key, "a number from 0 to 1")
	} else {
		m.bad(key, "a number from 0")
	}
	return fallback
}
