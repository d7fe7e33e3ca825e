package report

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// chromium is a browser without a window, driven by the DevTools protocol over a pair of pipes: JSON
// messages that end in a zero byte.
type chromium struct {
	t       testing.TB
	to      io.Writer
	session string

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
	events  []event
	gone    error // set once the browser has closed its end
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

type event struct {
	Method string
	Params json.RawMessage
}

// patience is how long the browser may take for one thing on a loaded machine.
const patience = 2 * time.Minute

// startChromium starts a browser with one empty page, or skips the test where there is none.
func startChromium(t testing.TB) *chromium {
	t.Helper()
	if testing.Short() {
		t.Skip("the page is not opened in a browser by short tests")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the browser's pipes need inherited file descriptors")
	}
	path := os.Getenv("OPENRS_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"} {
		if path != "" {
			break
		}
		path, _ = exec.LookPath(name)
	}
	if path == "" {
		t.Skip("no Chromium here (OPENRS_CHROMIUM names another place): the page is not opened in a browser")
	}
	theirIn, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile := t.TempDir()
	cmd := exec.Command(path, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
		"--hide-scrollbars", "--mute-audio", "--force-color-profile=srgb", "--user-data-dir="+filepath.Join(profile, "user"))
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4 in the browser
	cmd.Env = append(os.Environ(), "HOME="+profile, "XDG_CONFIG_HOME="+profile, "XDG_CACHE_HOME="+profile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its helpers end with it
	var trouble strings.Builder
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		t.Skipf("%s does not start: %v", path, err)
	}
	theirIn.Close()
	theirOut.Close()
	c := &chromium{t: t, to: to, waiting: make(map[int]chan reply)}
	go c.listen(from)
	t.Cleanup(func() {
		_ = c.try("Browser.close", nil, nil)
		to.Close()
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-done
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // helpers that were left
		from.Close()
	})

	var target struct{ TargetID string }
	if err := c.try("Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		t.Skipf("%s can't be driven: %v\n%.2000s", path, err, trouble.String())
	}
	var attached struct{ SessionID string }
	c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	c.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		c.call(domain+".enable", nil, nil)
	}
	return c
}

// listen sorts what the browser says into replies and events until it says no more.
func (c *chromium) listen(from io.Reader) {
	in := bufio.NewReaderSize(from, 1<<20)
	for {
		text, err := in.ReadBytes(0)
		c.mu.Lock()
		if err != nil {
			c.gone = fmt.Errorf("the browser is gone: %w", err)
			for id, ch := range c.waiting {
				delete(c.waiting, id)
				close(ch)
			}
			c.mu.Unlock()
			return
		}
		var m struct {
			ID int
			event
			reply
		}
		if err := json.Unmarshal(text[:len(text)-1], &m); err == nil {
			if ch := c.waiting[m.ID]; m.ID != 0 && ch != nil {
				delete(c.waiting, m.ID)
				ch <- m.reply
			} else if m.Method != "" {
				c.events = append(c.events, m.event)
			}
		}
		c.mu.Unlock()
	}
}

func (c *chromium) try(method string, params map[string]any, result any) error {
	c.mu.Lock()
	if c.gone != nil {
		c.mu.Unlock()
		return c.gone
	}
	c.next++
	id, ch := c.next, make(chan reply, 1)
	c.waiting[id] = ch
	c.mu.Unlock()
	message := map[string]any{"id": id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if c.session != "" {
		message["sessionId"] = c.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := c.to.Write(append(text, 0)); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case r, ok := <-ch:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", method, c.gone)
		case r.Error != nil:
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		case result != nil:
			return json.Unmarshal(r.Result, result)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s: no answer from the browser in %v", method, patience)
	}
}

func (c *chromium) call(method string, params map[string]any, result any) {
	c.t.Helper()
	if err := c.try(method, params, result); err != nil {
		c.t.Fatal(err)
	}
}

// eval runs a script in the page and reads its value, waiting for it when it is a promise.
func (c *chromium) eval(script string, value any) {
	c.t.Helper()
	var r struct {
		Result struct {
			Value json.RawMessage
		}
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	c.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		c.t.Fatalf("%.300s: %s %s", script, r.ExceptionDetails.Text, r.ExceptionDetails.Exception.Description)
	}
	if value != nil {
		if err := json.Unmarshal(r.Result.Value, value); err != nil {
			c.t.Fatalf("%.300s gave %s: %v", script, r.Result.Value, err)
		}
	}
}

// until waits for a condition in the page.
func (c *chromium) until(condition string) {
	c.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ok := false
		c.eval("!!("+condition+")", &ok)
		if ok {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("waited %v for %s; errors: %v", patience, condition, c.errors())
		}
	}
}

// view sets the size of the window, in CSS pixels, and whether it is dark.
func (c *chromium) view(width, height int, dark bool) {
	c.t.Helper()
	c.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1 + indicator(looked()), "mobile": width < 600}, nil)
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	c.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// open loads a page from a file and waits until it has been read.
func (c *chromium) open(path string) {
	c.t.Helper()
	c.mu.Lock()
	c.events = nil
	c.mu.Unlock()
	c.call("Page.navigate", map[string]any{"url": "file://" + path}, nil)
	c.until("location.protocol === 'file:' && document.readyState === 'complete'")
}

// errors are what the console complains of, and every request that leaves the page.
func (c *chromium) errors() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, e := range c.events {
		switch e.Method {
		case "Runtime.exceptionThrown":
			out = append(out, string(e.Params))
		case "Runtime.consoleAPICalled":
			var m struct{ Type string }
			if json.Unmarshal(e.Params, &m) == nil && (m.Type == "error" || m.Type == "warning" || m.Type == "assert") {
				out = append(out, string(e.Params))
			}
		case "Log.entryAdded":
			out = append(out, string(e.Params))
		case "Network.requestWillBeSent":
			var m struct{ Request struct{ URL string } }
			if json.Unmarshal(e.Params, &m) != nil || !strings.HasPrefix(m.Request.URL, "file://") && !strings.HasPrefix(m.Request.URL, "data:") {
				out = append(out, "request: "+m.Request.URL)
			}
		}
	}
	return out
}

// bytes calls a method whose result is a file.
func (c *chromium) bytes(method string, params map[string]any) []byte {
	c.t.Helper()
	var r struct{ Data string }
	c.call(method, params, &r)
	data, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

// looked says whether somebody is going to look at the pictures.
func looked() bool { return os.Getenv("OPENRS_SCREENSHOTS") != "" }

// shot takes a picture of the whole page, or of an element, into a folder.
func (c *chromium) shot(folder, name, selector string) {
	c.t.Helper()
	most := 900 // of a picture that nobody looks at, the part that fits into a window
	if looked() {
		most = 14_000
	}
	script := fmt.Sprintf(`(() => { const r = document.documentElement.getBoundingClientRect(); return {x: 0, y: 0, width: innerWidth, height: Math.min(r.height, %d)} })()`, most)
	if selector != "" {
		script = fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return {x: 0, y: r.y + scrollY - 12, width: innerWidth, height: Math.min(r.height + 24, %d)} })()`, selector, most)
	}
	var clip map[string]any
	c.eval(script, &clip)
	clip["scale"] = 1
	png := c.bytes("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true, "clip": clip})
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, name), png, 0o644)); err != nil {
		c.t.Fatal(err)
	}
}
