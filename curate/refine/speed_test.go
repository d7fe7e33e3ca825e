package refine

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"openrs/curate/load"
	"openrs/curate/recipe"
	"openrs/curate/step"
)

const data = "../../../shared/data"

// BenchmarkSteps puts the training problems through all steps that need no model, against all benchmarks.
func BenchmarkSteps(b *testing.B) {
	if _, err := os.Stat(filepath.Join(data, "math_train.json")); err != nil {
		b.Skip(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(`
- extract-answer
- readable-answer
- no-figures
- no-multi-part
- no-proofs
- no-choices
- language
- length: {max: 4000}
- exact-duplicates
- near-duplicates
- decontaminate: [aime24.jsonl, amc23.jsonl, amc22_23.json, math500.json, minerva_math.json, olympiadbench.jsonl, gsm8k_test.jsonl]
- order: shuffle
`), &node); err != nil {
		b.Fatal(err)
	}
	asked, err := recipe.ReadSteps(node.Content[0], step.Specs())
	if err != nil {
		b.Fatal(err)
	}
	env := &step.Env{Seed: 1, Data: data}
	rows := 0
	for b.Loop() {
		b.StopTimer()
		var steps []step.Step
		for _, s := range asked {
			made, err := step.New(s, env)
			if err != nil {
				b.Fatal(err)
			}
			steps = append(steps, made)
		}
		files, _, err := Files([]recipe.Source{{Path: "math_train.json"}, {Path: "aime_train.json"}}, env.Path, load.Options{NoAnswer: true})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		result, err := Run(b.Context(), Options{Files: files, Steps: WithAnswers(steps), Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		rows += result.Report.Read
		if err := result.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
