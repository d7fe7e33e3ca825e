package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every command of every binary reads its own section of a recipe. That a value has arrived shows by the
// command's refusing it.
func TestEveryCommandHasASection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, binary := range []string{"curate", "generate", "score", "update", "evaluate"} {
		var commands [][]string
		if binary != "evaluate" { // which does nothing by itself
			commands = append(commands, nil)
		}
		for _, name := range strings.Fields(command(t, dir, binary, "--generate-bash-completion")) {
			if name != "help" && name != "h" {
				commands = append(commands, []string{name})
			}
		}
		if len(commands) < 2 {
			t.Errorf("%s: only %d commands", binary, len(commands))
		}
		for _, words := range commands {
			section := strings.Join(append([]string{binary}, words...), "-")
			recipe := filepath.Join(dir, section+".yaml")
			if err := os.WriteFile(recipe, []byte(section+":\n  log-level: chatty\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			fails(t, start(t, dir, nil, binary, append(words, "--config", recipe)...), `--log-level "chatty"`)
		}
	}
}
