package adapter

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"openrs/stages/checkpoint"
	"openrs/stages/device/devicetest"
	"openrs/stages/model"
)

var shape = checkpoint.Config{
	Architecture: "llama", Hidden: 8, Layers: 2, Heads: 2, KVHeads: 1, HeadDim: 4, FFN: 12, Vocab: 20, MaxPositions: 50, RopeTheta: 1e4, RMSEps: 1e-6,
}

// trained returns a model with adapters that are not zero.
func trained(t *testing.T, l model.LoRA) *model.Model {
	t.Helper()
	m, err := model.New(devicetest.NewReference(), shape, model.Options{Train: true, LoRA: &l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	params, _ := m.Flat()
	v := make([]float32, params.Len())
	for i := range v {
		v[i] = float32(i%17-8) / 32
	}
	m.Device().Upload(params, v)
	m.Repack()
	return m
}

func write(t *testing.T, dir string, c Config, m *model.Model, dtype checkpoint.DType) {
	t.Helper()
	tensors, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(c, tensors, dtype)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.WriteFolder(dir, files); err != nil {
		t.Fatal(err)
	}
}

// TestFolder writes a folder twice, which gives the same bytes, and reads it.
func TestFolder(t *testing.T) {
	c := Config{LoRA: model.LoRA{Rank: 3, Alpha: 6, Targets: []string{"down_proj", "q_proj"}}, Base: "base"}
	m := trained(t, c.LoRA)
	dir := filepath.Join(t.TempDir(), "adapter")
	var before []byte
	for range 2 { // the second time it replaces the first
		write(t, dir, c, m, checkpoint.F32)
		data, err := os.ReadFile(filepath.Join(dir, WeightsFile))
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(data, before) {
			t.Error("other bytes the second time")
		}
		before = data
	}
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c.LoRA.Targets = []string{"q_proj", "down_proj"}
	if !reflect.DeepEqual(a.Config, c) || a.Name != dir || !Is(dir) || Is(t.TempDir()) {
		t.Errorf("%+v, want %+v", a.Config, c)
	}
	names := a.Names()
	if len(names) != 8 || names[0] != "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" || names[7] != "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight" {
		t.Errorf("tensors %v", names)
	}
	x, err := a.Tensor(names[7])
	if err != nil || !reflect.DeepEqual(x.Shape, []int{8, 3}) || a.Metadata()["format"] != "pt" {
		t.Errorf("B is %v, %v", x, err)
	}
}

func TestOpenErrors(t *testing.T) {
	sound := filepath.Join(t.TempDir(), "adapter")
	c := Config{LoRA: model.LoRA{Rank: 2, Alpha: 2}}
	write(t, sound, c, trained(t, c.LoRA), checkpoint.BF16)
	weights := func(names ...string) func(dir string) error {
		return func(dir string) error {
			var tensors []checkpoint.NamedTensor
			for _, name := range names {
				tensors = append(tensors, checkpoint.NamedTensor{Name: name, Shape: []int{1}, Values: []float32{1}})
			}
			var b bytes.Buffer
			if err := checkpoint.WriteTensors(&b, tensors, checkpoint.F32, nil); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, WeightsFile), b.Bytes(), 0o600)
		}
	}
	const q = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		says   string
		is     error
	}{
		{"no configuration", func(dir string) error { return os.Remove(filepath.Join(dir, ConfigFile)) }, ConfigFile, fs.ErrNotExist},
		{"bad configuration", func(dir string) error { return os.WriteFile(filepath.Join(dir, ConfigFile), []byte("{}"), 0o600) }, "peft_type", ErrFormat},
		{"no weights", func(dir string) error { return os.Remove(filepath.Join(dir, WeightsFile)) }, WeightsFile, fs.ErrNotExist},
		{"weights of PyTorch", func(dir string) error {
			return os.Rename(filepath.Join(dir, WeightsFile), filepath.Join(dir, "adapter_model.bin"))
		}, "convert them", fs.ErrNotExist},
		{"half of the weights", func(dir string) error { return os.Truncate(filepath.Join(dir, WeightsFile), 100) }, WeightsFile, checkpoint.ErrFormat},
		{"no tensors", weights(), "no tensors", ErrFormat},
		{"DoRA", weights(q, "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector"), "lora_magnitude_vector", ErrFormat},
		{"a module to save", weights(q, "base_model.model.lm_head.weight"), "lm_head.weight", ErrFormat},
		{"another projection", weights("base_model.model.lm_head.lora_A.weight"), `"lm_head"`, ErrFormat},
		{"no prefix", weights("model.layers.0.self_attn.q_proj.lora_A.weight"), "base_model.model", ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a")
			if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
				t.Fatal(err)
			}
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			a, err := Open(dir)
			if err == nil || !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v; want an error with %q", a, err, c.says)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	c := Config{LoRA: model.LoRA{Rank: 3, Alpha: 6, Targets: []string{"v_proj"}}, Base: "base"}
	notes, err := c.Notes("abc")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight"}
	got, err := FromNotes(notes, names)
	if err != nil || !reflect.DeepEqual(got, &Policy{LoRA: c.LoRA, Base: "abc"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if p, err := FromNotes(nil, names); p != nil || err != nil {
		t.Errorf("a whole model: %+v, %v", p, err)
	}
	if _, err := FromNotes(map[string]string{metaConfig: "{"}, names); !errors.Is(err, ErrFormat) {
		t.Errorf("bad notes: %v", err)
	}
	if _, err := FromNotes(notes, []string{"x"}); !errors.Is(err, ErrFormat) {
		t.Errorf("bad names: %v", err)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		want *model.LoRA
		says string
	}{
		{"", nil, ""},
		{"--lora-rank 32 --lora-alpha 128 --lora-dropout 0.05", &model.LoRA{Rank: 32, Alpha: 128, Dropout: 0.05, Targets: model.LoRATargets()}, ""},
		{"--lora-rank 4 --lora-targets v_proj,q_proj", &model.LoRA{Rank: 4, Alpha: 8, Targets: []string{"q_proj", "v_proj"}}, ""},
		{"--lora-alpha 3", nil, "--lora-alpha: expected --lora-rank"},
		{"--lora-rank -1", nil, "rank is -1"},
		{"--lora-rank 4 --lora-targets q_prj", nil, `did you mean "q_proj"`},
	} {
		var got *model.LoRA
		app := &cli.App{Flags: Flags(), Action: func(ctx *cli.Context) (err error) {
			got, err = FromFlags(ctx)
			return err
		}}
		err := app.Run(append([]string{"x"}, strings.Fields(c.args)...))
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v, %q", c.args, got, err, c.want, c.says)
		}
	}
}
