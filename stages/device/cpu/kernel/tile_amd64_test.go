//go:build amd64 && !purego

package kernel

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"unsafe"
)

// TestOffsets compares the layouts of the structs that assembly reads with the constants of the generator.
func TestOffsets(t *testing.T) {
	for _, c := range []struct {
		file string
		want map[string]uintptr
	}{
		{"gen/gemm.go", map[string]uintptr{
			"tileA": unsafe.Offsetof(tile{}.a), "tileB": unsafe.Offsetof(tile{}.b), "tileC": unsafe.Offsetof(tile{}.c),
			"tileK": unsafe.Offsetof(tile{}.k), "tileLDA": unsafe.Offsetof(tile{}.lda), "tileLDB": unsafe.Offsetof(tile{}.ldb),
			"tileLDC": unsafe.Offsetof(tile{}.ldc), "tileFrom": unsafe.Offsetof(tile{}.from), "tileLDFrom": unsafe.Offsetof(tile{}.ldfrom),
			"tileBias": unsafe.Offsetof(tile{}.bias), "tileEnd": unsafe.Offsetof(tile{}.end),
			"tileAhead": unsafe.Offsetof(tile{}.ahead), "tileStride": unsafe.Offsetof(tile{}.stride),
			"endStore": endStore, "endBias": endBias, "endAdd": endAdd, "panelWidth": Panel,
		}},
		{"gen/functions.go", map[string]uintptr{
			"adamGradScale": unsafe.Offsetof(AdamWConst{}.GradScale), "adamBeta1": unsafe.Offsetof(AdamWConst{}.Beta1),
			"adamOneMinusBeta1": unsafe.Offsetof(AdamWConst{}.OneMinusBeta1), "adamBeta2": unsafe.Offsetof(AdamWConst{}.Beta2),
			"adamOneMinusBeta2": unsafe.Offsetof(AdamWConst{}.OneMinusBeta2), "adamCorrect2": unsafe.Offsetof(AdamWConst{}.Correct2),
			"adamEps": unsafe.Offsetof(AdamWConst{}.Eps), "adamStep": unsafe.Offsetof(AdamWConst{}.Step),
			"adamDecay": unsafe.Offsetof(AdamWConst{}.Decay),
		}},
	} {
		text, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range c.want {
			m := regexp.MustCompile(`(?m)\b` + name + `\s*= (\d+)`).FindSubmatch(text)
			if m == nil {
				t.Errorf("%s does not define %s", c.file, name)
				continue
			}
			if got, err := strconv.Atoi(string(m[1])); err != nil || uintptr(got) != want {
				t.Errorf("%s: %s is %s, want %d", c.file, name, m[1], want)
			}
		}
	}
}
