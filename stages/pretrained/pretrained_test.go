package pretrained

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"openrs/stages/checkpoint"
	"openrs/stages/model/tiny"
)

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for name, want := range map[string]string{
		"":             "expected --model",
		"shape:":       "unknown shape, expected one of ",
		"shape:tiney":  `did you mean "tiny"`,
		file:           "expected a folder with a config.json",
		file + "-none": "no such file",
		empty:          checkpoint.ConfigFile,
	} {
		if m, err := Open(name, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want an error with %q", name, m, err, want)
		}
	}
}

// The model inside the binaries, copied to a folder, is the same model.
func TestTinyAndItsCopy(t *testing.T) {
	own, err := Open(Tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, tiny.FS()); err != nil {
		t.Fatal(err)
	}
	copied, err := Open(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if own.Name != Tiny || copied.Name != dir {
		t.Errorf("names %q and %q", own.Name, copied.Name)
	}
	if len(own.EOS) == 0 || !slices.Equal(own.EOS, copied.EOS) || own.Config.Vocab != copied.Config.Vocab || len(own.Companions) != len(copied.Companions) {
		t.Errorf("end tokens %v and %v, %d and %d tokens, %d and %d companions", own.EOS, copied.EOS, own.Config.Vocab, copied.Config.Vocab, len(own.Companions), len(copied.Companions))
	}
	const text = "12+3*4"
	if got := copied.Tokenizer.Decode(own.Tokenizer.Encode(text), true); got != text {
		t.Errorf("%q becomes %q", text, got)
	}
}

// Every shape opens with a tokenizer that it has room for.
func TestShapes(t *testing.T) {
	for _, name := range shapeNames() {
		m, err := Open(shapePrefix+name, 3)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.seed != 3 || m.Tokenizer.VocabSize() > m.Config.Vocab || len(m.EOS) == 0 {
			t.Errorf("%s: seed %d, %d tokens for an embedding of %d, end tokens %v", name, m.seed, m.Tokenizer.VocabSize(), m.Config.Vocab, m.EOS)
		}
		m.Close()
	}
}

func TestFromFlags(t *testing.T) {
	var got *Model
	app := &cli.App{Flags: Flags(), Action: func(c *cli.Context) (err error) {
		got, err = FromFlags(c)
		return err
	}}
	for _, c := range []struct {
		args []string
		seed uint64
	}{
		{[]string{"--model", "shape:tiny"}, 1},
		{[]string{"--model", "shape:tiny", "--seed", "9"}, 9},
		{[]string{"--model", "shape:tiny", "--seed", "-1"}, 1<<64 - 1},
	} {
		if err := app.Run(append([]string{"x"}, c.args...)); err != nil {
			t.Fatal(err)
		}
		if got.Name != "shape:tiny" || got.seed != c.seed {
			t.Errorf("%v: %s with seed %d, want %d", c.args, got.Name, got.seed, c.seed)
		}
		got.Close()
	}
}
