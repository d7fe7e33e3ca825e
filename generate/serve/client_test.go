package serve

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"openrs/generate/engine"
)

// TestOpenAIClient drives the server with OpenAI's client for Node: chat, streams, n = 4,
// log-probabilities, cancellation, errors, 200 requests at once. It needs Node and a package from the
// network, so it only runs when OPENRS_NPM is set: to a folder in which `openai` is installed, or to 1 to
// have it installed in a temporary one.
func TestOpenAIClient(t *testing.T) {
	dir := os.Getenv("OPENRS_NPM")
	if dir == "" {
		t.Skip("set OPENRS_NPM=1 (or to a folder with node_modules) to drive the server with OpenAI's client")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "openai")); err != nil {
		dir = t.TempDir()
		if out, err := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--prefix", dir, "openai@6").CombinedOutput(); err != nil {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
	}
	module, err := filepath.Abs(filepath.Join(dir, "node_modules", "openai", "index.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, engine.Options{MaxSequences: 32}, func(o *Options) { o.Key = "secret" })
	cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "client.mjs"), s.url)
	cmd.Env = append(os.Environ(), "OPENAI_MODULE="+module)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	for deadline := time.Now().Add(20 * time.Second); s.running() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a cancelled request is still at work")
		}
	}
}
