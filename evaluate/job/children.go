package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// ErrChild says that a child process has failed.
var ErrChild = errors.New("failed")

// Tools are the sibling binaries.
type Tools struct{ Generate, Score string }

// FindTools finds the binaries in a folder, by default the one that this process was started from.
func FindTools(dir string) (Tools, error) {
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return Tools{}, fmt.Errorf("generate and score: %w (--bin tells where they are)", err)
		}
		dir = filepath.Dir(self)
	}
	t := Tools{Generate: filepath.Join(dir, "generate"), Score: filepath.Join(dir, "score")}
	if runtime.GOOS == "windows" {
		t.Generate, t.Score = t.Generate+".exe", t.Score+".exe"
	}
	for _, path := range []string{t.Generate, t.Score} {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return Tools{}, fmt.Errorf("there is no %s: evaluate needs generate and score beside it, or --bin DIR that has them", path)
		}
	}
	return t, nil
}

// child is a process that ends with this one.
type child struct {
	name string
	cmd  *exec.Cmd
	log  string // file that has its standard error
	from int64  // where its words begin there
	done chan struct{}
	err  error // of the process, once done is closed
}

// stopWait is how long a child has to end after a signal.
const stopWait = 5 * time.Second

// startChild starts a binary. Its standard error is added to the file at log. stdin may be nil.
func startChild(ctx context.Context, path string, args []string, stdin, stdout *os.File, log string) (*child, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o777); err != nil {
		return nil, err
	}
	stderr, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	c := &child{name: strings.TrimSuffix(filepath.Base(path), ".exe"), log: log, done: make(chan struct{})}
	if info, err := stderr.Stat(); err == nil {
		c.from = info.Size()
	}
	c.cmd = exec.CommandContext(ctx, path, args...)
	c.cmd.Stdout, c.cmd.Stderr = stdout, stderr
	if stdin != nil {
		c.cmd.Stdin = stdin
	}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = stopWait
	endWithParent(c.cmd)
	started := make(chan error, 1)
	go func() {
		// Where the kernel ends children with their parent, it means the thread that started them.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// wait waits for the end, and returns how the process failed with its last lines; [ErrChild].
func (c *child) wait() error {
	<-c.done
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("%s %w (%w); it said last: %s (all of it is in %s)", c.name, ErrChild, c.err, c.lastLines(3), c.log)
}

// downstream reports whether the process ended because its reader did.
func (c *child) downstream() bool {
	<-c.done
	var exit *exec.ExitError
	if errors.As(c.err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGPIPE {
			return true
		}
	}
	return c.err != nil && strings.Contains(c.lastLines(1), "broken pipe")
}

// lastLines are the last lines that the process has written, as one.
func (c *child) lastLines(n int) string {
	f, err := os.Open(c.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(c.from, info.Size()-4096)
	text, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	if last := bytes.Join(lines, []byte(" | ")); len(last) > 0 {
		return string(last)
	}
	return "nothing"
}
