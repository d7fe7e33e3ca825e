//go:build race

package model

// underRace: the race detector makes plain loops ten times slower, so the tests that go through every
// model and device take the fastest device only.
const underRace = true
