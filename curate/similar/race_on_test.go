//go:build race

package similar

const raceDetector = true
