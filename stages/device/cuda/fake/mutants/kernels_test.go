//go:build cuda

// Package mutants breaks the shipped kernels and the host's calls on purpose and demands that the fake
// device reports each fault. kernels_test.go patches the PTX that the tests of package cuda run;
// host_test.go makes the calls of a careless host.
package mutants

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A kernelMutant is a patch of the PTX (ptx2c/mutate.go), the tests of package cuda that run the kernel,
// and what the report must say; "" if it is enough that a test fails, because the kernel stays a legal
// program that computes something else.
type kernelMutant struct {
	name, patch, run, report string
}

var kernelMutants = []kernelMutant{
	{"attention f32 without its first barrier", `attention_f32_32|bar\.sync\s+0;||0`, "TestLongAttention/f32/4_over", "race in shared memory"},
	{"attention f32 without its last barrier", `attention_f32_64|bar\.sync\s+0;||1`, "TestLongAttention/f32/6_over", "race in shared memory"},
	{"attention bf16 without a barrier", `attention_bf16_32|bar\.sync\s+0;||0`, "TestLongAttention/bf16/4_over", "shared memory"},
	{"attention bf16 waits for one copy too few", `attention_bf16_64|cp\.async\.wait_group\s+0;|cp.async.wait_group 1;|-1`, "TestLongAttention/bf16/6_over", "cp.async into it is underway"},
	{"attention bf16 does not wait for its copies", `attention_bf16_32|cp\.async\.wait_group\s+\d;||-1`, "TestLongAttention/bf16/4_over", "cp.async into it is underway"},
	{"attention backward without a barrier", `attention_dkdv_f32_32|bar\.sync\s+0;||0`, "TestLongAttentionBackward/f32/4_over", "race in shared memory"},
	{"attention backward bf16 without a barrier", `attention_dq_bf16_32|bar\.sync\s+0;||0`, "TestLongAttentionBackward/bf16/4_over", "shared memory"},
	{"gemm f32 without a barrier", `gemm_f32_forward_.*|bar\.sync\s+0;||0`, "TestConformance/values/MatMul$", "shared memory"},
	{"gemm bf16 without a barrier", `gemm_bf16_forward_.*|bar\.sync\s+0;||0`, "TestConformance/values/MatMul$", "shared memory"},
	{"gemm bf16 does not wait for its copies", `gemm_bf16_forward_.*|cp\.async\.wait_group\s+\d+;||-1`, "TestConformance/values/MatMul$", "cp.async into it is underway"},
	{"gemm bf16 with a column too many", `gemm_bf16_forward_.*|st\.global\.f32\s+\[(%rd\d+)\]|st.global.f32 [$1+4]|-1`, "TestConformance/values/MatMul$", ""},
	{"sampling without a barrier", `sample_f32|bar\.sync\s+0;||0`, "TestConformance/sampling/(Draws|Truncations)", "shared memory"},
	{"block sum without a barrier", `rmsnorm_f32_block|bar\.sync\s+0;||0`, "TestConformance/values/RMSNorm$", "shared memory"},
	{"a warp sum of half the warp", `rmsnorm_f32_warp|shfl\.sync\.bfly\.b32(.*), -1;|shfl.sync.bfly.b32$1, 65535;|0`, "TestConformance/values/RMSNorm$", "shfl"},
	{"a load far past its row", `swiglu_f32|ld\.global\.f32(\s+%f\d+), \[(%rd\d+)\]|ld.global.f32$1, [$2+65536]|0`, "TestConformance/values/SwiGLU$", ""},
	{"a store one element further", `scale_f32|st\.global\.f32\s+\[(%rd\d+)\]|st.global.f32 [$1+4]|-1`, "TestConformance/values/Optimizing", ""},
	{"AdamW reads past its arrays", `adamw_f32|ld\.global\.f32(\s+%f\d+), \[(%rd\d+)\]|ld.global.f32$1, [$2+4]|0`, "TestConformance/values/Optimizing", ""},
	{"a misaligned vector load", `zero_f32|st\.global\.u32\s+\[(%rd\d+)\]|st.global.u32 [$1+2]|0`, "TestCopyAndZero", "must be a multiple of"},
}

// TestKernelMutants first runs the tests on the kernels as they are: they must pass.
func TestKernelMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs the tests of package cuda for each mutant")
	}
	bin := filepath.Join(t.TempDir(), "cuda.test")
	if out, err := exec.Command("go", "test", "-tags", "cuda", "-c", "-o", bin, "openrs/stages/device/cuda").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	healthy := map[string]bool{}
	for _, m := range kernelMutants {
		t.Run(m.name, func(t *testing.T) {
			if ok, seen := healthy[m.run]; !seen {
				out, err := runTests(bin, m.run, "")
				healthy[m.run] = err == nil && !strings.Contains(out, "no tests to run")
				if !healthy[m.run] {
					t.Fatalf("tests %s fail without a mutant: %v\n%s", m.run, err, out)
				}
			} else if !ok {
				t.Fatalf("tests %s fail without a mutant", m.run)
			}
			out, err := runTests(bin, m.run, m.patch)
			switch {
			case err == nil:
				t.Errorf("nothing noticed\n%s", out)
			case strings.Contains(out, "has no such place"):
				t.Errorf("the patch does not fit the kernel any more\n%s", out)
			case !strings.Contains(out, m.report):
				t.Errorf("the report does not say %q:\n%s", m.report, out)
			}
		})
	}
}

func runTests(bin, run, patch string) (string, error) {
	cmd := exec.Command(bin, "-test.run", run, "-test.failfast", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), "FAKECUDA_MUTANT="+patch)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
