//go:build race

package study

// underRace: the race detector makes the simulations thirty times slower, and nothing in them runs at the
// same time as anything else.
const underRace = true
