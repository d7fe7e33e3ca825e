//go:build !amd64 || purego

package kernel

func multiplyAddsSIMD(Level, int) int { panic(noAssembly) }

func dotProductsSIMD(int) int { panic(noAssembly) }
