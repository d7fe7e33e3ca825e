//go:build cuda

package opcode

import (
	"testing"

	"gorgonia.org/cu"
)

// Each piece breaks a rule; the launch must fail.
func TestRefused(t *testing.T) {
	const shared = ".shared .align 16 .b8 s[256]; mov.u32 %r5, s; shl.b32 %r6, %r0, 2; add.s32 %r7, %r5, %r6;\n"
	cases := []struct {
		name, body string
		threads    int
	}{
		{"past_shared", shared + "st.shared.u32 [%r7+256], %r0;", 32},
		{"misaligned", shared + "st.shared.u32 [%r7+2], %r0;", 32},
		{"race", shared + "st.shared.u32 [%r7], %r0; xor.b32 %r8, %r6, 4; add.s32 %r8, %r8, %r5; ld.shared.u32 %r9, [%r8];", 32},
		{"race_of_warps", shared + "st.shared.u32 [%r5], %r0;", 64},
		{"read_then_write", shared + "st.shared.u32 [%r7], %r0; bar.sync 0; xor.b32 %r8, %r6, 128; add.s32 %r8, %r8, %r5; ld.shared.u32 %r9, [%r8]; st.shared.u32 [%r7], %r9;", 64},
		{"uninitialized", shared + "ld.shared.u32 %r9, [%r7];", 32},
		{"async_not_waited", shared + "shl.b32 %r6, %r0, 4; and.b32 %r6, %r6, 255; setp.ge.s32 %p1, %r0, 16; @%p1 bra END; add.s32 %r7, %r5, %r6; cvt.u64.u32 %rd1, %r6; add.s64 %rd2, %rd16, %rd1; cp.async.cg.shared.global [%r7], [%rd2], 16; cp.async.commit_group; ld.shared.u32 %r9, [%r7]; END:", 32},
		{"null", "mov.u64 %rd1, 0; ld.global.u32 %r9, [%rd1];", 32},
		{"barrier_of_some", "setp.lt.s32 %p1, %r0, 5; @%p1 bra A; bar.sync 0; bra B; A: bar.sync 0; B:", 32},
		{"shuffle_of_some", "setp.lt.s32 %p1, %r0, 5; @!%p1 bra A; shfl.sync.bfly.b32 %r9, %r0, 1, 31, -1; bar.sync 0; A: bar.sync 0;", 32},
		{"shuffle_from_outside", "shfl.sync.bfly.b32 %r9, %r0, 16, 31, -1;", 8},
		{"trap", "setp.eq.s32 %p1, %r0, 3; @%p1 trap;", 32},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := load(t, kernel(c.name, "", c.body))
			out := g.alloc(4096)
			if err := g.launch(c.name, c.threads, 0, 0, uint64(out)); err == nil {
				t.Error("it ran")
			}
		})
	}
}

// What the translator does not know, it refuses when the module is loaded.
func TestUnknownInstructions(t *testing.T) {
	for _, body := range []string{"dp4a.s32.s32 %r1, %r2, %r3, %r4;", "add.rz.f32 %f1, %f2, %f3;", "bar.sync 1, 64;", "mov.u32 %r1, %smid;",
		"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f5, %f6, %f7, %f8}, {%r1, %r2}, {%r5}, {%f1, %f2, %f3, %f4};", "add.s32 %r1, %r2, %undeclared;"} {
		load(t, kernel("empty", "", "")) // a context
		if _, err := cu.LoadData(header + kernel("k", "", body)); err == nil {
			t.Errorf("%s: loaded", body)
		}
	}
}
