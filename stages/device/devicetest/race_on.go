//go:build race

package devicetest

// underRace: the race detector makes plain loops ten times slower and looks for data races, not for
// rounding, so some tests take fewer shapes.
const underRace = true
