package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"openrs/stages"
	"openrs/update/trl"
)

// What a TRL configuration becomes is read by the reader of recipes, and the command has the settings.
func TestConvertedRecipeIsRead(t *testing.T) {
	for _, c := range []struct {
		file    string
		options trl.Options
		want    map[string]string
	}{
		{"open-rs.yaml", trl.Options{Processes: 3}, map[string]string{
			"steps": "500", "groups-per-step": "12", "loss": "bnpo", "beta": "0.04", "lr": "1e-06", "schedule": "cosine_with_min_lr", "min-lr-ratio": "0.1", "warmup-steps": "50",
			"temperature": "1", "micro-batch": "6", "checkpoint-every": "50", "dtype": "bf16", "seed": "42", "epsilon": "0.2", "max-lag": "0",
		}},
		{"code.yaml", trl.Options{Version: "0.18.0", Processes: 8, Rows: 16000}, map[string]string{
			"steps": "1000", "groups-per-step": "64", "loss": "dr_grpo", "max-completion-length": "8192", "epsilon-high": "0.28", "max-grad-norm": "0.2", "warmup-steps": "100",
			"keep-checkpoints": "1", "checkpoint-every": "50", "temperature": "0", "micro-batch": "0", "schedule": "constant_with_warmup",
		}},
		{"adapter.yaml", trl.Options{}, map[string]string{"steps": "1500", "groups-per-step": "4", "warmup-steps": "150", "checkpoint-every": "50", "lora-rank": "32", "lora-alpha": "128", "lora-dropout": "0.05",
			"lora-targets": "q_proj,k_proj,v_proj,o_proj,down_proj,up_proj,gate_proj"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			in, err := os.Open(filepath.Join("trl", "testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			result, err := trl.Convert(in, c.options)
			if err != nil {
				t.Fatal(err)
			}
			var recipe strings.Builder
			if err := result.Write(&recipe); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "recipe.yaml")
			if err := os.WriteFile(path, []byte(recipe.String()), 0o666); err != nil {
				t.Fatal(err)
			}
			read := false
			app := stages.App("update", "", "", grpoFlags(), func(_ context.Context, env *stages.Env) error {
				read = true
				for _, s := range env.Settings {
					if want, ok := c.want[s.Name]; ok && s.Value != want {
						t.Errorf("%s is %s, want %s", s.Name, s.Value, want)
					}
				}
				return nil
			})
			if err := app.Run([]string{"update", "--config", path}); err != nil || !read {
				t.Errorf("%v in\n%s", err, recipe.String())
			}
		})
	}
}
