//go:build race

package train

// underRace: the race detector makes plain loops ten times slower, so the golden tests take the fastest
// device only.
const underRace = true
