//go:build !race

package similar

const raceDetector = false
