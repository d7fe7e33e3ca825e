package optim

// ClipCoefficient returns the factor that brings gradients of the given global L2 norm down to
// maxNorm: min(1, maxNorm / (norm + 1e-6)). With maxNorm 0 there is no clipping and it is 1.
func ClipCoefficient(norm, maxNorm float64) float64 {
	if maxNorm == 0 {
		return 1
	}
	return min(1, maxNorm/(norm+1e-6))
}
