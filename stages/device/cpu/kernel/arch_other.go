//go:build !amd64 || purego

package kernel

// This file stands in for the assembly where there is none: best is [Portable], so that [New] makes no
// set that could reach the functions below it.

func best() Level { return Portable }

func (s *Set) packPanelTransposed(dst, w []float32, ldw, rows, k int) {
	packPanelPortable(dst, w, ldw, rows, k)
}

func pause(int) {}

func prefetch(uintptr, int) {}

const noAssembly = "kernel: no assembly in this build"

type family uint8

const familyOfPairs family = 0

func familyOf(Level) family { return 0 }

func (s *Set) packPanelPairs(dst, w []uint32, ldw, rows, k int) {
	packPanelPortable(asFloats(dst), asFloats(w), ldw, rows, k)
}

func (s *Set) roundBlocks([]uint32, []float32) int           { return 0 }
func (s *Set) pairBlocks([]uint32, []float32, []float32) int { return 0 }
func (s *Set) widenBlocks([]float32, []uint32) int           { return 0 }

func gemmSIMD(family, *gemm, *Scratch)                                   { panic(noAssembly) }
func gemmTASIMD(family, *gemmTA, *Scratch)                               { panic(noAssembly) }
func gemmTAPanel(family, *gemmTA, []float32, int)                        { panic(noAssembly) }
func widenPanelSIMD([]float32, []uint32)                                 { panic(noAssembly) }
func expSIMD(Level, []float32, []float32)                                { panic(noAssembly) }
func expSumSIMD(Level, []float32, []float32, float32) float32            { panic(noAssembly) }
func softmaxBlockSIMD(_ Level, _ []float32, _, _, _ int, _, _ []float32) { panic(noAssembly) }
func maxSIMD(Level, []float32) float32                                   { panic(noAssembly) }
func sumSIMD(Level, []float32) float32                                   { panic(noAssembly) }
func dotSIMD(Level, []float32, []float32) float32                        { panic(noAssembly) }
func axpySIMD(Level, []float32, float32, []float32)                      { panic(noAssembly) }
func scaleSIMD(Level, []float32, float32)                                { panic(noAssembly) }
func addToSIMD(Level, []float32, []float32)                              { panic(noAssembly) }
func mulSIMD(_ Level, _, _, _ []float32)                                 { panic(noAssembly) }
func swigluSIMD(_ Level, _, _, _ []float32)                              { panic(noAssembly) }
func swigluBackwardSIMD(_ Level, _, _, _, _, _ []float32)                { panic(noAssembly) }
func normScaleSIMD(_ Level, _, _, _ []float32, _ float32)                { panic(noAssembly) }
func ropeSIMD(_ Level, _, _, _ []float32, _ float32)                     { panic(noAssembly) }
func adamwSIMD(_ Level, _, _, _, _ []float32, _ *AdamWConst)             { panic(noAssembly) }
