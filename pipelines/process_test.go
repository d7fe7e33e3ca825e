package pipelines

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// bin is the folder with the five binaries, built once by TestMain.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "openrs-pipelines-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = filepath.Join(dir, "bin")
		args := slices.Concat([]string{"build"}, buildFlags, []string{"-o", bin + string(filepath.Separator), "./curate", "./generate", "./score", "./update", "./evaluate"})
		build := exec.Command("go", args...)
		build.Dir = ".."
		build.Env = append(os.Environ(), buildEnv...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the binaries: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// process is a running command of one of the binaries. Its standard error is in the file log.
type process struct {
	t    *testing.T
	line string // as a user would have typed it
	log  string
	cmd  *exec.Cmd
	out  bytes.Buffer // standard output
	done chan struct{}
	err  error // of cmd.Wait; set when done is closed
}

var processes atomic.Int64

// start runs a binary in dir. It is killed at the end of the test, if it still runs then.
func start(t *testing.T, dir string, stdin io.Reader, binary string, args ...string) *process {
	t.Helper()
	return launch(t, dir, stdin, false, binary, args...)
}

// launch is start, with standard output going to a full device or not.
func launch(t *testing.T, dir string, stdin io.Reader, full bool, binary string, args ...string) *process {
	t.Helper()
	logs := filepath.Join(dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &process{
		t: t, line: strings.Join(append([]string{binary}, args...), " "), done: make(chan struct{}),
		log: filepath.Join(logs, fmt.Sprintf("%s-%d.log", filepath.Base(binary), processes.Add(1))),
	}
	stderr, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	path := binary
	if !strings.Contains(binary, string(filepath.Separator)) {
		path = filepath.Join(bin, binary)
	}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir, p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = dir, stdin, &p.out, stderr
	if full {
		device, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Skip(err)
		}
		defer device.Close()
		p.cmd.Stdout = device
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// exited reports whether the process has ended.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process with SIGKILL.
func (p *process) kill() {
	if !p.exited() {
		_ = p.cmd.Process.Kill() // it may have ended meanwhile
		<-p.done
	}
}

// stop asks the process to end, as a terminal or a scheduler does, and returns its exit status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	return p.status()
}

// status waits for the end and returns the exit status, −1 after a signal.
func (p *process) status() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("%s: still running after %s", p.line, patience)
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines are told in the log
		<-p.done
		p.t.Fatal(p.tail())
	}
	return p.cmd.ProcessState.ExitCode()
}

// ok waits for the end and fails the test unless the exit status is 0. It returns standard output.
func (p *process) ok() string {
	p.t.Helper()
	if got := p.status(); got != 0 {
		p.t.Fatalf("%s: exit status %d, want 0\n%s", p.line, got, p.tail())
	}
	return p.out.String()
}

// stderr returns what the process has written to standard error.
func (p *process) stderr() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// tail is the end of the log, for a failure message.
func (p *process) tail() string {
	lines := strings.Split(strings.TrimRight(p.stderr(), "\n"), "\n")
	if n := 25; len(lines) > n {
		lines = append([]string{"…"}, lines[len(lines)-n:]...)
	}
	return "  | " + strings.Join(lines, "\n  | ")
}

// command runs a binary to its end, which must be a good one, and returns its standard output.
func command(t *testing.T, dir, binary string, args ...string) string {
	t.Helper()
	return start(t, dir, nil, binary, args...).ok()
}

// splitTensors reads a safetensors file: its header, which is JSON, and its data.
func splitTensors(t *testing.T, path string) (head, body []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	return data[8 : 8+n], data[8+n:]
}
