package pretrained

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"openrs/stages/adapter"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/model"
)

func newCPU(t *testing.T) device.Device {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

// writeAdapter makes a folder of adapters for a model, with values that matter.
func writeAdapter(t *testing.T, dir, base, of string) {
	t.Helper()
	source, err := Open(of, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	l := &model.LoRA{Rank: 2, Alpha: 4}
	m, err := model.New(newCPU(t), source.Config, model.Options{Train: true, LoRA: l})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	params, _ := m.Flat()
	v := make([]float32, params.Len())
	for i := range v {
		v[i] = float32(i%11-5) / 64
	}
	m.Device().Upload(params, v)
	tensors, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	files, err := adapter.Files(adapter.Config{LoRA: *l, Base: base}, tensors, checkpoint.F32)
	if err == nil {
		err = checkpoint.WriteFolder(dir, files)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// logprobs are those of a few tokens under an opened model.
func logprobs(t *testing.T, p *Model) []float32 {
	t.Helper()
	m, err := model.New(newCPU(t), p.Config, model.Options{LoRA: p.LoRA()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := p.Load(m); err != nil {
		t.Fatal(err)
	}
	groups := []model.Group{{Prompt: []int32{1, 2}, Completions: [][]int32{{3, 4, 5, 6}}}}
	packed, err := model.Pack(groups, model.Whole(groups))
	if err != nil {
		t.Fatal(err)
	}
	logp, _, err := m.LogProbs(packed)
	if err != nil {
		t.Fatal(err)
	}
	return logp
}

// TestAdapters: adapters are found by their own folder and beside their base, and merged they give about the same
// numbers, also when the merged weights are a folder.
func TestAdapters(t *testing.T) {
	for _, base := range []string{Tiny, "shape:tiny"} {
		dir := filepath.Join(t.TempDir(), "adapter")
		writeAdapter(t, dir, base, base)
		named, err := Open(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer named.Close()
		plain, err := Open(base, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		without := logprobs(t, plain)
		if err := plain.Attach(dir); err != nil {
			t.Fatal(err)
		}
		want := logprobs(t, plain)
		if got := logprobs(t, named); !slices.Equal(got, want) || slices.Equal(got, without) {
			t.Errorf("%s: %v by the adapters' folder, %v beside the base, %v without", base, got, want, without)
		}
		if named.Base() != base || named.Name != dir || plain.Base() != base {
			t.Errorf("names %q and %q", named.Name, named.Base())
		}
		a, err := named.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := plain.Digest(); err != nil || a != b {
			t.Errorf("%s: digests %s and %s, %v", base, a, b, err)
		}
		params, err := model.AdapterParams(named.Config, *named.LoRA())
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, p := range params {
			sum += int64(2 * p.Len())
		}
		if n := named.AdapterBytes(device.BF16); n != sum {
			t.Errorf("%d bytes of adapters, they have %d", n, sum)
		}
		merged, err := named.Merged(newCPU(t))
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(t.TempDir(), "merged")
		if err := checkpoint.Save(folder, named.Config, merged, checkpoint.SaveOptions{DType: checkpoint.F32, Files: named.Companions}); err != nil {
			t.Fatal(err)
		}
		whole, err := Open(folder, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer whole.Close()
		for i, got := range logprobs(t, whole) {
			if d := got - want[i]; d > 1e-4 || d < -1e-4 {
				t.Errorf("%s: log-probability %d is %v merged, %v with adapters", base, i, got, want[i])
			}
		}
		if err := plain.Attach(dir); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("a second adapter: %v", err)
		}
	}
}

// TestTrained: the model's own adapters go on being trained, and others are not asked for beside them.
func TestTrained(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "adapter")
	writeAdapter(t, dir, Tiny, Tiny)
	for _, c := range []struct {
		args string
		rank int
		drop float64
		says string
	}{
		{"--model tiny", 0, 0, ""},
		{"--model tiny --lora-rank 5", 5, 0, ""},
		{"--model tiny --adapter " + dir, 2, 0, ""},
		{"--model " + dir + " --lora-dropout 0.1", 2, 0.1, ""},
		{"--model " + dir + " --lora-dropout 2", 0, 0, "dropout is 2"},
		{"--model " + dir + " --lora-rank 2", 0, 0, "--lora-rank: the model has adapters"},
		{"--model " + dir + " --adapter " + dir, 0, 0, "already"},
		{"--model tiny --adapter " + dir + "-none", 0, 0, "no such file"},
	} {
		var got *model.LoRA
		app := &cli.App{Flags: append(Flags(), adapter.Flags()...), Action: func(ctx *cli.Context) error {
			m, err := FromFlags(ctx)
			if err != nil {
				return err
			}
			defer m.Close()
			got, err = m.Trained(ctx)
			return err
		}}
		err := app.Run(append([]string{"x"}, strings.Fields(c.args)...))
		switch {
		case (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: %v, want %q", c.args, err, c.says)
		case err == nil && (got == nil) != (c.rank == 0) || err == nil && got != nil && (got.Rank != c.rank || got.Dropout != c.drop):
			t.Errorf("%s: %+v, want rank %d", c.args, got, c.rank)
		}
	}
}

func TestAdapterErrors(t *testing.T) {
	at := func(base string) string {
		dir := filepath.Join(t.TempDir(), "adapter")
		writeAdapter(t, dir, base, Tiny)
		return dir
	}
	chained := at(Tiny)
	for _, c := range []struct{ dir, says string }{
		{at(""), "--model BASE --adapter"},
		{at("/nowhere"), "--model BASE --adapter"},
		{at("shape:none"), "unknown shape"},
		{at(chained), "folder of adapters itself"},
	} {
		if m, err := Open(c.dir, 1); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, %v; want %q", m, err, c.says)
		}
	}
	m, err := Open(Tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for dir, says := range map[string]string{t.TempDir(): adapter.ConfigFile, filepath.Join(t.TempDir(), "none"): "no such file"} {
		if err := m.Attach(dir); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", dir, err, says)
		}
	}
	// Adapters of another shape are told when they are loaded, and when they are merged.
	other, err := Open("shape:qwen2.5-0.5b", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Attach(chained); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Merged(newCPU(t)); err == nil || !strings.Contains(err.Error(), "shape") {
		t.Errorf("adapters of another shape: %v", err)
	}
}

// TestDigest: the digest is of the tensors, however they lie in files.
func TestDigest(t *testing.T) {
	source, err := Open(Tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	digest := func(dtype checkpoint.DType, shard int64, change bool) string {
		weights, err := source.Weights()
		if err != nil {
			t.Fatal(err)
		}
		if change {
			read := weights[2].Read
			weights[2].Read = func() ([]float32, error) {
				v, err := read()
				v[0] += 1
				return v, err
			}
		}
		dir := filepath.Join(t.TempDir(), "m")
		if err := checkpoint.Save(dir, source.Config, weights, checkpoint.SaveOptions{DType: dtype, MaxShardBytes: shard, Files: source.Companions}); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(dir); shard > 0 && len(entries) < 7 {
			t.Fatalf("not in shards: %v", entries)
		}
		m, err := Open(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var d [2]string
		for i := range d {
			if d[i], err = m.Digest(); err != nil {
				t.Fatal(err)
			}
		}
		if d[0] != d[1] || len(d[0]) != 64 {
			t.Errorf("digests %q", d)
		}
		return d[0]
	}
	whole := digest(checkpoint.F32, 0, false)
	if d := digest(checkpoint.F32, 200_000, false); d != whole {
		t.Error("another digest in shards")
	}
	if d := digest(checkpoint.F32, 0, true); d == whole {
		t.Error("the same digest of other weights")
	}
	if d := digest(checkpoint.BF16, 0, false); d == whole {
		t.Error("the same digest of rounded weights")
	}
	var shapes []string
	for seed := range uint64(2) {
		m, err := Open("shape:tiny", seed)
		if err != nil {
			t.Fatal(err)
		}
		d, err := m.Digest()
		if err != nil {
			t.Fatal(err)
		}
		shapes = append(shapes, d)
	}
	if shapes[0] == shapes[1] {
		t.Error("the same digest of random weights of two seeds")
	}
}
