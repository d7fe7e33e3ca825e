package kernel

import (
	"errors"
	"fmt"
	"os"
)

// Level is an instruction set the kernels are written for. A higher level needs more of the machine.
type Level uint8

// The levels.
const (
	Portable   Level = iota // plain Go, on any machine
	AVX2                    // amd64 with AVX2 and FMA3
	AVX512                  // amd64 with AVX-512 F, BW, DQ and VL
	AVX512BF16              // the same with AVX-512 BF16, for products of bfloat16; float32 is as in AVX512
)

// EnvLevel is the environment variable that forces a level: "portable", "avx2", "avx512" or
// "avx512bf16".
const EnvLevel = "OPENRS_KERNELS"

// ErrLevel is returned by [New] for a level that this machine or this build lacks, and for a value of
// [EnvLevel] that is not the name of a level.
var ErrLevel = errors.New("kernel level")

var levelNames = [...]string{Portable: "portable", AVX2: "avx2", AVX512: "avx512", AVX512BF16: "avx512bf16"}

// String returns the name that [EnvLevel] understands.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// ParseLevel is the inverse of [Level.String].
func ParseLevel(name string) (Level, error) {
	for l, n := range levelNames {
		if n == name {
			return Level(l), nil
		}
	}
	return 0, fmt.Errorf("%w %q: want portable, avx2, avx512 or avx512bf16", ErrLevel, name)
}

// Best returns the best level of this machine and build, whatever the environment says.
func Best() Level { return best() }

// Detect returns the level to use: the one named by [EnvLevel] if it is set, else [Best]. A name that is
// unknown or a level that is not supported comes back as a Level for which [New] returns an error.
func Detect() Level {
	name := os.Getenv(EnvLevel)
	if name == "" {
		return best()
	}
	l, err := ParseLevel(name)
	if err != nil {
		return invalidLevel
	}
	return l
}

// invalidLevel stands for a name in [EnvLevel] that is not a level.
const invalidLevel Level = 0xff

// Levels lists the levels this machine and build can run, lowest first.
func Levels() []Level {
	var ls []Level
	for l := Portable; l <= best(); l++ {
		ls = append(ls, l)
	}
	return ls
}

// Set is the kernels of one level. It is immutable and may be shared by goroutines.
type Set struct {
	level Level
}

// New returns the kernels of a level, or an error that wraps [ErrLevel].
func New(level Level) (*Set, error) {
	switch {
	case level == invalidLevel:
		_, err := ParseLevel(os.Getenv(EnvLevel))
		if err == nil {
			err = fmt.Errorf("%w: invalid", ErrLevel)
		}
		return nil, fmt.Errorf("environment variable %s: %w", EnvLevel, err)
	case level > best():
		return nil, fmt.Errorf("%w %v is not supported here: the best is %v", ErrLevel, level, best())
	}
	return &Set{level: level}, nil
}

// Level returns the level of the set.
func (s *Set) Level() Level { return s.level }
