//go:build cuda

package opcode

import (
	"strings"
	"testing"
)

func TestLoadsAndStores(t *testing.T) {
	thread := "mul.wide.u32 %rd17, %r0, 16; add.s64 %rd18, %rd15, %rd17; mul.wide.u32 %rd19, %r0, 16; add.s64 %rd16, %rd16, %rd19;\n"
	// Each case copies or computes 16 bytes a thread.
	cases := []struct {
		name, body string
		want       func(in, out []byte)
	}{
		{"v4", "ld.global.nc.v4.f32 {%f1, %f2, %f3, %f4}, [%rd18]; st.global.v4.f32 [%rd16], {%f4, %f3, %f2, %f1};", func(in, out []byte) {
			for i := 0; i < 4; i++ {
				copy(out[4*i:], in[12-4*i:16-4*i])
			}
		}},
		{"v2", "ld.global.v2.u64 {%rd1, %rd2}, [%rd18]; st.global.v2.u64 [%rd16], {%rd2, %rd1};", func(in, out []byte) { copy(out, in[8:16]); copy(out[8:], in[:8]) }},
		{"half", "ld.global.v4.u16 {%h1, %h2, %h3, %h4}, [%rd18]; st.global.v4.u16 [%rd16], {%h2, %h1, %h4, %h3}; ld.global.u64 %rd1, [%rd18+8]; st.global.u64 [%rd16+8], %rd1;",
			func(in, out []byte) {
				copy(out, in[2:4])
				copy(out[2:], in[:2])
				copy(out[4:], in[6:8])
				copy(out[6:], in[4:6])
				copy(out[8:], in[8:16])
			}},
		{"byte", "ld.global.u8 %r1, [%rd18+3]; ld.global.s8 %r2, [%rd18+3]; st.global.u32 [%rd16], %r1; st.global.u32 [%rd16+4], %r2; st.global.u64 [%rd16+8], 0;",
			func(in, out []byte) {
				clear(out)
				out[0], out[4] = in[3], in[3]
				if in[3] > 127 {
					out[5], out[6], out[7] = 255, 255, 255
				}
			}},
		{"shared", `.shared .align 16 .b8 s[2048]; mov.u32 %r5, s; shl.b32 %r6, %r0, 4; add.s32 %r7, %r5, %r6;
ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd18]; st.shared.v4.u32 [%r7], {%r1, %r2, %r3, %r4}; bar.sync 0;
xor.b32 %r8, %r6, 16; add.s32 %r8, %r8, %r5; ld.shared.v2.u32 {%r1, %r2}, [%r8]; cvt.u64.u32 %rd1, %r8; cvta.shared.u64 %rd1, %rd1; ld.u64 %rd2, [%rd1+8];
st.global.v2.u32 [%rd16], {%r1, %r2}; st.global.u64 [%rd16+8], %rd2;`, nil}, // the neighbour's
		{"local", `.local .align 16 .b8 depot[64]; mov.u64 %rd1, depot; cvta.local.u64 %rd2, %rd1; and.b32 %r5, %r0, 7; mul.wide.u32 %rd3, %r5, 4;
add.s64 %rd4, %rd1, %rd3; ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd18]; st.local.u32 [%rd4], %r1; st.local.u32 [%rd4+4], %r2; st.local.u32 [%rd4+8], %r3;
add.s64 %rd5, %rd2, %rd3; st.u32 [%rd5+12], %r4; ld.u32 %r6, [%rd5]; ld.local.u32 %r7, [%rd4+4]; ld.local.u32 %r8, [%rd4+8]; ld.local.u32 %r9, [%rd4+12];
st.global.v4.u32 [%rd16], {%r6, %r7, %r8, %r9};`, func(in, out []byte) { copy(out, in[:16]) }},
		{"async", `.shared .align 16 .b8 s[2048]; mov.u32 %r5, s; shl.b32 %r6, %r0, 4; add.s32 %r7, %r5, %r6; and.b32 %r8, %r0, 15; add.s32 %r8, %r8, 1;
cp.async.cg.shared.global [%r7], [%rd18], 16, %r8; cp.async.commit_group; cp.async.wait_group 0;
ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r7]; st.global.v4.u32 [%rd16], {%r1, %r2, %r3, %r4};`, nil}, // zeros after the first (thread mod 16)+1 bytes
		{"groups", `.shared .align 16 .b8 s[4096]; mov.u32 %r5, s; shl.b32 %r6, %r0, 4; add.s32 %r7, %r5, %r6;
cp.async.ca.shared.global [%r7], [%rd18], 8; cp.async.ca.shared.global [%r7+8], [%rd18+8], 4; cp.async.ca.shared.global [%r7+12], [%rd18+12], 4; cp.async.commit_group;
cp.async.ca.shared.global [%r7+2048], [%rd18], 16; cp.async.commit_group; cp.async.wait_group 1;
ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r7]; cp.async.wait_all; st.global.v4.u32 [%rd16], {%r1, %r2, %r3, %r4};`, func(in, out []byte) { copy(out, in[:16]) }},
	}
	var text strings.Builder
	for _, c := range cases {
		text.WriteString(kernel(c.name, "", thread+c.body))
	}
	g := load(t, text.String())
	const n = 96
	in := make([]byte, 16*n)
	for i := range in {
		in[i] = byte(i*37 + i/16)
	}
	src := upload(g, in)
	for _, c := range cases {
		out := g.alloc(16 * n)
		g.check(g.launch(c.name, n, 0, uint64(src), uint64(out)))
		got := download[byte](g, out, 16*n)
		for l := 0; l < n; l++ {
			want := make([]byte, 16)
			mine := in[16*l : 16*l+16]
			switch c.name {
			case "shared":
				copy(want, in[16*(l^1):16*(l^1)+16])
			case "async":
				copy(want, mine[:l&15+1])
			default:
				c.want(mine, want)
			}
			if string(got[16*l:16*l+16]) != string(want) {
				t.Fatalf("%s in thread %d: %x, want %x", c.name, l, got[16*l:16*l+16], want)
			}
		}
	}
}

func TestAtomics(t *testing.T) {
	g := load(t, kernel("atomics", "", `.shared .align 4 .b8 s[8]; and.b32 %r1, %r0, 1; mul.wide.u32 %rd17, %r1, 4; add.s64 %rd18, %rd16, %rd17;
red.global.add.u32 [%rd18], 3; red.global.max.s32 [%rd16+8], %r0; atom.global.min.s32 %r5, [%rd16+12], %r0; atom.global.or.b32 %r5, [%rd16+16], %r0;
red.global.add.f32 [%rd16+20], 0f3F000000; atom.global.exch.b32 %r6, [%rd16+24], 7; atom.global.cas.b32 %r7, [%rd16+28], 0, 99; atom.add.u32 %r8, [%rd16+32], 1;
setp.eq.s32 %p1, %r0, 0; mov.u32 %r9, s; @%p1 st.shared.u32 [%r9], 0; bar.sync 0; atom.shared.add.u32 %r11, [%r9], 2; bar.sync 0;
@%p1 ld.shared.u32 %r12, [%r9]; @%p1 st.global.u32 [%rd16+36], %r12;`))
	out := upload(g, make([]uint32, 10))
	g.check(g.launch("atomics", 64, 0, 0, uint64(out)))
	want := []uint32{96, 96, 63, 0, 63, 0x42000000, 7, 99, 64, 128}
	for i, v := range download[uint32](g, out, 10) {
		if v != want[i] {
			t.Errorf("word %d: %#x, want %#x", i, v, want[i])
		}
	}
}
