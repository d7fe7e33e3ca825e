package kernel

import "math"

// AdamWConst holds the constants of one AdamW update in float32; [NewAdamWConst] computes them.
type AdamWConst struct {
	GradScale     float32 // factor of the gradient, for clipping
	Beta1         float32 // decay of the first moment
	OneMinusBeta1 float32
	Beta2         float32 // decay of the second moment
	OneMinusBeta2 float32
	Correct2      float32 // 1 / (1 − β₂ᵗ)
	Eps           float32
	Step          float32 // lr / (1 − β₁ᵗ)
	Decay         float32 // 1 − lr·weight decay
}

// NewAdamWConst computes the constants of update number t (from 1) in float64 and rounds them once.
func NewAdamWConst(lr, beta1, beta2, eps, weightDecay float64, t int64, gradScale float64) AdamWConst {
	return AdamWConst{
		GradScale:     float32(gradScale),
		Beta1:         float32(beta1),
		OneMinusBeta1: float32(1 - beta1),
		Beta2:         float32(beta2),
		OneMinusBeta2: float32(1 - beta2),
		Correct2:      float32(1 / (1 - math.Pow(beta2, float64(t)))),
		Eps:           float32(eps),
		Step:          float32(lr / (1 - math.Pow(beta1, float64(t)))),
		Decay:         float32(1 - lr*weightDecay),
	}
}

// AdamW updates parameters p and moments m and v from gradients g, element by element (Loshchilov and
// Hutter, Decoupled Weight Decay Regularization, algorithm 2):
//
//	g' = g·GradScale
//	m = fma(Beta1, m, OneMinusBeta1·g')
//	v = fma(Beta2, v, (OneMinusBeta2·g')·g')
//	p = fma(−Step, m / (sqrt(v·Correct2) + Eps), p·Decay)
func (s *Set) AdamW(p, g, m, v []float32, c AdamWConst) {
	same("AdamW", len(p), len(g))
	same("AdamW", len(p), len(m))
	same("AdamW", len(p), len(v))
	if len(p) == 0 {
		return
	}
	if s.level == Portable {
		adamwPortable(p, g, m, v, &c)
		return
	}
	adamwSIMD(s.level, p, g, m, v, &c)
}

func adamwPortable(p, g, m, v []float32, c *AdamWConst) {
	for i := range p {
		gi := g[i] * c.GradScale
		mi := c.Beta1*m[i] + c.OneMinusBeta1*gi
		vi := c.Beta2*v[i] + c.OneMinusBeta2*gi*gi
		m[i], v[i] = mi, vi
		den := float32(math.Sqrt(float64(vi*c.Correct2))) + c.Eps
		p[i] = p[i]*c.Decay - c.Step*(mi/den)
	}
}
