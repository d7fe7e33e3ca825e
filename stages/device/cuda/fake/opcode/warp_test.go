//go:build cuda

package opcode

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// kernel wraps a body that finds its thread's number in %r0, the addresses in and out in %rd15 and %rd16.
func kernel(name, declarations, body string) string {
	return declarations + "\n.visible .entry " + name + "(.param .u64 in, .param .u64 out) {\n" + registers +
		"mov.u32 %r0, %tid.x; ld.param.u64 %rd15, [in]; ld.param.u64 %rd16, [out];\n" + body + "\nret;\n}\n"
}

// each stores %r10 of every thread.
const storeR10 = "mul.wide.u32 %rd17, %r0, 4; add.s64 %rd16, %rd16, %rd17; st.global.u32 [%rd16], %r10;"

func TestShuffleVoteReduce(t *testing.T) {
	cases := []struct {
		name, body string
		want       func(l int) uint32
	}{
		{"bfly", "shfl.sync.bfly.b32 %r10, %r1, 5, 31, -1;", func(l int) uint32 { return uint32(l^5) * 3 }},
		{"up", "shfl.sync.up.b32 %r10|%p1, %r1, 3, 0, -1; @%p1 add.s32 %r10, %r10, 1000;", func(l int) uint32 {
			if l < 3 {
				return uint32(l) * 3
			}
			return uint32(l-3)*3 + 1000
		}},
		{"down", "shfl.sync.down.b32 %r10, %r1, 4, 31, -1;", func(l int) uint32 {
			if l+4 > 31 {
				return uint32(l) * 3
			}
			return uint32(l+4) * 3
		}},
		{"idx", "shfl.sync.idx.b32 %r10, %r1, 9, 31, -1;", func(int) uint32 { return 27 }},
		{"segment", "shfl.sync.idx.b32 %r10, %r1, 2, 6175, -1;", func(l int) uint32 { return uint32(l&^7+2) * 3 }}, // segments of 8: mask 0x18 << 8, clamp 31
		{"ballot", "and.b32 %r2, %r0, 3; setp.eq.s32 %p1, %r2, 1; vote.sync.ballot.b32 %r10, %p1, -1;", func(int) uint32 { return 0x22222222 }},
		{"any", "setp.eq.s32 %p1, %r0, 17; vote.sync.any.pred %p2, %p1, -1; selp.b32 %r10, 1, 0, %p2;", func(int) uint32 { return 1 }},
		{"all", "setp.ne.s32 %p1, %r0, 17; vote.sync.all.pred %p2, %p1, -1; selp.b32 %r10, 1, 0, %p2;", func(int) uint32 { return 0 }},
		{"redux", "redux.sync.add.s32 %r10, %r1, -1;", func(int) uint32 { return 3 * 31 * 16 }},
		{"active", "activemask.b32 %r10;", func(int) uint32 { return 0xffffffff }},
		// Half a warp works on its own, and threads meet again afterwards.
		{"half", `setp.lt.s32 %p1, %r0, 16; mov.u32 %r10, 0; @!%p1 bra SKIP;
shfl.sync.bfly.b32 %r10, %r1, 1, 31, 65535;
SKIP: bar.warp.sync -1; shfl.sync.idx.b32 %r11, %r10, 4, 31, -1; add.s32 %r10, %r10, %r11;`, func(l int) uint32 {
			x := uint32(0)
			if l < 16 {
				x = uint32(l^1) * 3
			}
			return x + 15
		}},
		// A loop that each thread leaves at its own time.
		{"loop", `mov.u32 %r10, 0; mov.u32 %r11, 0;
LOOP: add.s32 %r10, %r10, %r11; add.s32 %r11, %r11, 1; setp.le.s32 %p1, %r11, %r0; @%p1 bra LOOP;`, func(l int) uint32 { return uint32(l * (l + 1) / 2) }},
	}
	var text strings.Builder
	for _, c := range cases {
		text.WriteString(kernel(c.name, "", "mul.lo.s32 %r1, %r0, 3;\n"+c.body+"\n"+storeR10))
	}
	g := load(t, text.String())
	out := g.alloc(32 * 4)
	for _, c := range cases {
		g.check(g.launch(c.name, 32, 0, 0, uint64(out)))
		for l, v := range download[uint32](g, out, 32) {
			if v != c.want(l) {
				t.Errorf("%s in lane %d: %d, want %d", c.name, l, v, c.want(l))
			}
		}
	}
}

// mma and ldmatrix, by the fragment layouts of the PTX documentation.
func TestMultiplyMatrices(t *testing.T) {
	g := load(t, kernel("mma", "", `mul.wide.u32 %rd17, %r0, 40; add.s64 %rd15, %rd15, %rd17;
ld.global.v2.u32 {%r1, %r2}, [%rd15]; ld.global.v2.u32 {%r3, %r4}, [%rd15+8]; ld.global.v2.u32 {%r5, %r6}, [%rd15+16];
ld.global.v2.f32 {%f1, %f2}, [%rd15+24]; ld.global.v2.f32 {%f3, %f4}, [%rd15+32];
mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f5, %f6, %f7, %f8}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f1, %f2, %f3, %f4};
mul.wide.u32 %rd17, %r0, 16; add.s64 %rd16, %rd16, %rd17; st.global.v4.f32 [%rd16], {%f5, %f6, %f7, %f8};`))
	r := rand.New(rand.NewPCG(3, 4))
	var a [16][16]float32
	var b [16][8]float32
	var c, want [16][8]float32
	draw := func() float32 { return float32(r.IntN(255)-127) / 64 } // exact in bf16, and so are the sums in float32
	for i := range a {
		for k := range a[i] {
			a[i][k] = draw()
		}
	}
	for k := range b {
		for j := range b[k] {
			b[k][j] = draw()
		}
	}
	for i := range c {
		for j := range c[i] {
			c[i][j] = draw()
			want[i][j] = c[i][j]
			for k := range b {
				want[i][j] += a[i][k] * b[k][j]
			}
		}
	}
	pair := func(x, y float32) uint32 { return uint32(bf16(x)) | uint32(bf16(y))<<16 }
	in := make([]uint32, 0, 320)
	for l := 0; l < 32; l++ {
		row, k := l/4, l%4*2
		in = append(in, pair(a[row][k], a[row][k+1]), pair(a[row+8][k], a[row+8][k+1]), pair(a[row][k+8], a[row][k+9]), pair(a[row+8][k+8], a[row+8][k+9]))
		in = append(in, pair(b[k][row], b[k+1][row]), pair(b[k+8][row], b[k+9][row]))
		for _, x := range []float32{c[row][k], c[row][k+1], c[row+8][k], c[row+8][k+1]} {
			in = append(in, math.Float32bits(x))
		}
	}
	out := g.alloc(32 * 16)
	g.check(g.launch("mma", 32, 0, uint64(upload(g, in)), uint64(out)))
	for i, v := range download[float32](g, out, 128) {
		l, e := i/4, i%4
		row, col := l/4+e/2*8, l%4*2+e%2
		if v != want[row][col] {
			t.Fatalf("row %d column %d: %g, want %g", row, col, v, want[row][col])
		}
	}
}

func TestLoadMatrix(t *testing.T) {
	var text strings.Builder
	for _, n := range []int{1, 2, 4} {
		for _, trans := range []string{"", ".trans"} {
			dst := []string{"%r20", "%r21", "%r22", "%r23"}[:n]
			body := `mul.wide.u32 %rd17, %r0, 16; add.s64 %rd15, %rd15, %rd17; ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd15];
shl.b32 %r5, %r0, 4; mov.u32 %r6, tile; add.s32 %r5, %r5, %r6; st.shared.v4.u32 [%r5], {%r1, %r2, %r3, %r4}; bar.sync 0;
mov.u32 %r20, 0; mov.u32 %r21, 0; mov.u32 %r22, 0; mov.u32 %r23, 0;
` + fmt.Sprintf("ldmatrix.sync.aligned.m8n8.x%d%s.shared.b16 {%s}, [%%r5];\n", n, trans, strings.Join(dst, ", ")) +
				"add.s64 %rd16, %rd16, %rd17; st.global.v4.u32 [%rd16], {%r20, %r21, %r22, %r23};"
			text.WriteString(kernel(fmt.Sprintf("x%d%s", n, strings.TrimPrefix(trans, ".")), "", ".shared .align 16 .b8 tile[512];\n"+body))
		}
	}
	g := load(t, text.String())
	halves := make([]uint16, 256) // row r of the 32 rows of 8
	for i := range halves {
		halves[i] = uint16(i)
	}
	src, out := upload(g, halves), g.alloc(512)
	for _, n := range []int{1, 2, 4} {
		for _, trans := range []bool{false, true} {
			name := fmt.Sprintf("x%d", n)
			if trans {
				name += "trans"
			}
			g.check(g.launch(name, 32, 0, uint64(src), uint64(out)))
			for i, v := range download[uint32](g, out, 128) {
				l, m := i/4, i%4
				at := func(row, col int) uint32 {
					if trans {
						row, col = col, row
					}
					return uint32(halves[64*m+8*row+col])
				}
				want := at(l/4, l%4*2) | at(l/4, l%4*2+1)<<16
				if m >= n {
					want = 0
				}
				if v != want {
					t.Fatalf("%s lane %d matrix %d: %#x, want %#x", name, l, m, v, want)
				}
			}
		}
	}
}
