package stages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// sampleApp is a binary with an action of its own and one command.
func sampleApp(act Action) *cli.App {
	flags := append(LogFlags(), &cli.IntFlag{Name: "size", Value: 3})
	return App("score", "usage", "description", flags, act,
		Command("score verify", "usage", append(LogFlags(), &cli.StringFlag{Name: "in"}), act))
}

func TestExitStatusAndErrors(t *testing.T) {
	fails := errors.Join(errors.New("stream rollouts: gone"), errors.New("close: gone, too"))
	for _, c := range []struct {
		name   string
		args   []string
		err    error // of the action
		status int
		stderr string // the line, or its part before and after …
	}{
		{"good", nil, nil, 0, ""},
		{"good command", []string{"verify", "--in", "x"}, nil, 0, ""},
		{"help", []string{"--help"}, nil, 0, ""},
		{"an error", nil, errors.New("no such stream"), 1, "score: no such stream"},
		{"several errors in one line", nil, fails, 1, "score: stream rollouts: gone; close: gone, too"},
		{"a command's error", []string{"verify"}, errors.New("x"), 1, "score: x"},
		{"unknown flag", []string{"--sise", "4"}, nil, 1, `score: unknown flag --sise (did you mean "size"?)`},
		{"unknown flag of a command", []string{"verify", "--out", "4"}, nil, 1, "score: unknown flag --out"},
		{"bad value", []string{"--size", "many"}, nil, 1, `score: invalid value "many" for flag -size…`},
		{"mistyped command", []string{"verfy"}, nil, 1, `score: unknown command or argument "verfy" (did you mean "verify"?)`},
		{"stray argument", []string{"--size", "4", "file.jsonl"}, nil, 1, `score: unknown command or argument "file.jsonl"`},
		{"stray argument of a command", []string{"verify", "--in", "a", "b"}, nil, 1, `score: unknown command or argument "b"`},
		{"log format", []string{"--log-format", "xml"}, nil, 1, `score: --log-format "xml": expected text or json`},
		{"log level", []string{"--log-level", "loud"}, nil, 1, `score: --log-level "loud": expected debug, info, warn or error`},
		{"no recipe", []string{"--config", "none.yaml"}, nil, 1, "score: recipe: open none.yaml…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ran := false
			status, stderr := runApp(within(t), sampleApp(func(context.Context, *Env) error { ran = true; return c.err }), c.args...)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			line, whole := strings.CutSuffix(stderr, "\n")
			if stderr != "" && !whole || strings.Contains(line, "\n") {
				t.Errorf("standard error is not one line: %q", stderr)
			}
			before, _, partial := strings.Cut(c.stderr, "…")
			if partial && !strings.HasPrefix(line, before) || !partial && line != c.stderr {
				t.Errorf("standard error %q, want %q", line, c.stderr)
			}
			if want := (c.err != nil || c.stderr == "") && c.name != "help"; ran != want {
				t.Errorf("the action has run: %v, want %v", ran, want)
			}
		})
	}
}

func TestStoppedByASignal(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	app := sampleApp(func(ctx context.Context, _ *Env) error {
		cancel()
		<-ctx.Done()
		return fmt.Errorf("waiting for input: %w", ctx.Err())
	})
	if status, stderr := runApp(ctx, app); status != 130 || stderr != "score: stopped by a signal\n" {
		t.Errorf("exit status %d, %q; want 130", status, stderr)
	}
	// An error that has nothing to do with the signal is told.
	app = sampleApp(func(context.Context, *Env) error { return errors.New("disk full") })
	if status, stderr := runApp(ctx, app); status != 1 || stderr != "score: disk full\n" {
		t.Errorf("exit status %d, %q; want 1", status, stderr)
	}
}

// A binary that does nothing by itself shows its help, and names a command that was probably meant.
func TestAppWithoutAction(t *testing.T) {
	app := func() *cli.App { return App("evaluate", "", "", nil, nil, Command("evaluate report", "", nil, nil)) }
	if status, stderr := runApp(within(t), app()); status != 0 || stderr != "" {
		t.Errorf("exit status %d, %q", status, stderr)
	}
	want := "evaluate: unknown command or argument \"reports\" (did you mean \"report\"?)\n"
	if status, stderr := runApp(within(t), app(), "reports"); status != 1 || stderr != want {
		t.Errorf("exit status %d, %q, want %q", status, stderr, want)
	}
}

// Each setting says where it came from, and the nearest to the user wins.
func TestOriginOfSettings(t *testing.T) {
	recipe := filepath.Join(t.TempDir(), "r.yaml")
	text := "common: {run: from-recipe, log-level: warn}\nupdate-sft: {names: [a, b], steps: 5, lr: 0.1, nkey: k}\nupdate: {steps: 9}\n"
	if err := os.WriteFile(recipe, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENRS_TEST_URL", "from-env")
	t.Setenv("OPENRS_TEST_CREDS", "from-env")
	t.Setenv("OPENRS_TEST_NKEY", "from-env")
	flags := append(LogFlags(),
		&cli.StringFlag{Name: "run"}, &cli.Int64Flag{Name: "steps"}, &cli.Float64Flag{Name: "lr"}, &cli.IntFlag{Name: "keep", Value: 3},
		&cli.StringSliceFlag{Name: "names"},
		&cli.StringFlag{Name: "url", EnvVars: []string{"OPENRS_TEST_URL"}}, &cli.StringFlag{Name: "creds", EnvVars: []string{"OPENRS_TEST_CREDS"}},
		&cli.StringFlag{Name: "nkey", EnvVars: []string{"OPENRS_TEST_NKEY"}},
	)
	var got map[string]Setting
	app := App("update", "", "", nil, nil, Command("update sft", "", flags, func(_ context.Context, env *Env) error {
		got = map[string]Setting{}
		for _, s := range env.Settings {
			got[s.Name] = s
		}
		for name, want := range map[string]any{"run": "from-recipe", "steps": int64(7), "lr": 0.1, "keep": 3, "url": "from-env", "creds": "given", "nkey": "from-env"} {
			if v := env.Value(name); v != want {
				t.Errorf("--%s is %v, want %v", name, v, want)
			}
		}
		return nil
	}))
	if status, stderr := runApp(within(t), app, "sft", "--config", recipe, "--steps", "7", "--creds", "given"); status != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []Setting{
		{"run", "from-recipe", "recipe"}, {"log-level", "warn", "recipe"}, {"names", "a,b", "recipe"}, {"lr", "0.1", "recipe"},
		{"steps", "7", "flag"}, {"creds", "given", "flag"}, {"config", recipe, "flag"},
		{"url", "from-env", "env"}, {"nkey", "from-env", "env"},
		{"keep", "3", "default"}, {"log-format", "text", "default"},
	} {
		if got[want.Name] != want {
			t.Errorf("got %+v, want %+v", got[want.Name], want)
		}
	}
}

func TestRecipeErrorsNameTheFile(t *testing.T) {
	recipe := filepath.Join(t.TempDir(), "r.yaml")
	for text, want := range map[string]string{
		"score:\n  sise: 1\n":    `line 2: unknown key "sise" in section score (did you mean "size"?)`,
		"score:\n  size: many\n": `size: "many": `,
	} {
		if err := os.WriteFile(recipe, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		status, stderr := runApp(within(t), sampleApp(func(context.Context, *Env) error { return nil }), "--config", recipe)
		if status != 1 || !strings.HasPrefix(stderr, "score: recipe "+recipe+": ") || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit status %d, %q; want %q", text, status, stderr, want)
		}
	}
}
