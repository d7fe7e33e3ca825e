package devices

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"openrs/stages"
	"openrs/stages/backend"
)

// command runs `generate devices` and returns its output.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := stages.App("generate", "", "", nil, nil, stages.Command("generate devices", "", Flags(), Run))
	app.Writer = &out
	err := app.RunContext(context.Background(), append([]string{"generate", "devices"}, args...))
	return out.String(), err
}

func TestRun(t *testing.T) {
	text, err := command(t, "--threads", "2")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "DEVICE") || !strings.Contains(text, "\ncpu ") || !strings.Contains(text, "2 threads") || !strings.Contains(text, "CUDA") {
		t.Errorf("output %q", text)
	}
	object, err := command(t, "--threads", "2", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var l backend.Listing
	if err := json.Unmarshal([]byte(object), &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Devices) == 0 || l.Devices[0].Threads != 2 {
		t.Errorf("%s", object)
	}
	if _, err := command(t, "--threads", "-2"); err == nil {
		t.Error("-2 threads are taken")
	}
}
