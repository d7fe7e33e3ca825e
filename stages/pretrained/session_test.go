package pretrained

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"openrs/stages/device"
)

// start opens a session with the given flags.
func start(args string) (s *Session, err error) {
	app := &cli.App{Flags: SessionFlags(), Action: func(c *cli.Context) (err error) {
		s, err = Start(c)
		return err
	}}
	err = app.Run(append([]string{"x"}, strings.Fields(args)...))
	return s, err
}

func TestSession(t *testing.T) {
	s, err := start("--model shape:tiny --dtype bf16 --threads 1 --seed 5")
	if err != nil {
		t.Fatal(err)
	}
	if s.DType != device.BF16 || s.Source.seed != 5 || !strings.Contains(s.Device.Name(), "1 thread") {
		t.Errorf("%v, seed %d, %s", s.DType, s.Source.seed, s.Device.Name())
	}
	empty, err := s.New()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	if o := loaded.Options(); o.DType != device.BF16 || o.Train {
		t.Errorf("%+v", o)
	}
	if empty == loaded || empty.Device() != s.Device {
		t.Error("the models are one, or on another device")
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"":                               "expected --model",
		"--model shape:tiny --dtype f8":  `data type "f8"`,
		"--model shape:tiny --device gx": `--device "gx"`,
		"--model tiny --threads -2":      "--threads is -2",
	} {
		if s, err := start(args); s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", args, s, err, want)
		}
	}
}
