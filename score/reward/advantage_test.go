package reward

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func readGolden(t *testing.T, name string, into any) {
	t.Helper()
	dir := os.Getenv("OPENRS_GOLDEN")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "golden")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("no golden fixtures: %v", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.9g, want %.9g", what, got, want)
	}
}

// checkAdvantages compares the advantages of rewards in groups of size with those expected.
func checkAdvantages(t *testing.T, rewards []float64, size int, scale string, want []float64) {
	t.Helper()
	if len(want) != len(rewards) || len(want) == 0 {
		t.Fatalf("%d advantages for %d rewards", len(want), len(rewards))
	}
	got := slices.Concat(Advantages(slices.Collect(slices.Chunk(rewards, size)), scale)...)
	for i := range want {
		near(t, scale, got[i], want[i], 1e-7)
	}
}

func TestGoldenAdvantages(t *testing.T) {
	var losses struct {
		Cases []struct {
			Size    int       `json:"group_size"`
			Rewards []float64 `json:"rewards"`
			Group   []float64 `json:"scale_group"`
			Batch   []float64 `json:"scale_batch"`
			None    []float64 `json:"scale_none"`
		} `json:"advantage_cases"`
		Size       int       `json:"group_size"`
		Rewards    []float64 `json:"rewards"`
		Advantages []float64 `json:"advantages"`
	}
	readGolden(t, "losses.json", &losses)
	if len(losses.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range losses.Cases {
		checkAdvantages(t, c.Rewards, c.Size, ScaleGroup, c.Group)
		checkAdvantages(t, c.Rewards, c.Size, ScaleBatch, c.Batch)
		checkAdvantages(t, c.Rewards, c.Size, ScaleNone, c.None)
	}
	checkAdvantages(t, losses.Rewards, losses.Size, ScaleGroup, losses.Advantages)

	for _, model := range []string{"qwen2-tied-f32", "qwen2-untied-bf16-sharded", "llama-f16-odd", "qwen3-f32-sharded"} {
		var file struct {
			Batch struct {
				Size    int       `json:"group_size"`
				Rewards []float64 `json:"rewards"`
				Group   []float64 `json:"advantages"`
				Batch   []float64 `json:"advantages_batch_std"`
				None    []float64 `json:"advantages_no_std"`
			} `json:"batch"`
		}
		readGolden(t, filepath.Join(model, "expected.json"), &file)
		b := file.Batch
		checkAdvantages(t, b.Rewards, b.Size, ScaleGroup, b.Group)
		checkAdvantages(t, b.Rewards, b.Size, ScaleBatch, b.Batch)
		checkAdvantages(t, b.Rewards, b.Size, ScaleNone, b.None)
	}
}

func TestAdvantagesAtTheEdges(t *testing.T) {
	for _, scale := range []string{ScaleGroup, ScaleBatch, ScaleNone} {
		got := Advantages([][]float64{{0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, {7}, {}, {1, 3}}, scale)
		for _, g := range got[:3] {
			for _, a := range g {
				if a != 0 {
					t.Errorf("%s: equal rewards or a single one: advantage %v, want exactly 0", scale, a)
				}
			}
		}
		if len(got[0]) != 6 || len(got[1]) != 1 || len(got[2]) != 0 || !(got[3][0] < 0 && got[3][1] > 0) {
			t.Errorf("%s: %v", scale, got)
		}
	}
}
