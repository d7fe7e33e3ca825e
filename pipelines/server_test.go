package pipelines

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsServer finds the server that go.mod names as a tool, building it if need be. It is run itself
// and not through `go tool`, which would leave it behind when killed.
var natsServer = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "tool", "-n", "nats-server")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go tool -n nats-server: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
})

// server is a nats-server with JetStream, as a process that can be killed.
type server struct {
	*process
	t    *testing.T
	dir  string
	addr string
	url  string
}

// startServer runs a server on a free port of the loopback interface until the test ends. What it has
// acknowledged is on the disk.
func startServer(t *testing.T) *server {
	t.Helper()
	// The server must come back on the same port, so it can't choose one each time.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: filepath.Join(t.TempDir(), "nats"), addr: l.Addr().String()}
	l.Close()
	s.url = "nats://" + s.addr
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("listen: %q\nmax_payload: 8MB\njetstream { store_dir: %q, sync_interval: always }\n", s.addr, filepath.Join(s.dir, "data"))
	if err := os.WriteFile(filepath.Join(s.dir, "nats.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	s.restart()
	return s
}

// restart starts the server, and kills it before if it runs.
func (s *server) restart() {
	s.t.Helper()
	if s.process != nil {
		s.kill()
	}
	path, err := natsServer()
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = start(s.t, s.dir, nil, path, "-c", "nats.conf")
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.DialTimeout("tcp", s.addr, time.Second); err == nil {
			c.Close()
			return
		}
		if s.exited() || time.Since(began) > 20*time.Second {
			s.t.Fatalf("nats-server does not answer at %s\n%s", s.addr, s.tail())
		}
	}
}

// jetStream connects the test itself.
func (s *server) jetStream() jetstream.JetStream {
	s.t.Helper()
	nc, err := nats.Connect(s.url, nats.MaxReconnects(-1))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	return js
}

// messages returns all messages of a run's stream in order.
func (s *server) messages(run, stream string) []*jetstream.RawStreamMsg {
	s.t.Helper()
	str, err := s.jetStream().Stream(s.t.Context(), "openrs-"+run+"-"+stream)
	if err != nil {
		s.t.Fatal(err)
	}
	info, err := str.Info(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for seq := max(1, info.State.FirstSeq); seq <= info.State.LastSeq; seq++ {
		m, err := str.GetMsg(s.t.Context(), seq)
		if err != nil {
			s.t.Fatalf("stream %s of run %s: message %d: %v", stream, run, seq, err)
		}
		all = append(all, m)
	}
	return all
}

// readJSONLines reads a file of JSON objects, one a line.
func readJSONLines(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s:%d: %v", path, i+1, err)
		}
		rows = append(rows, row)
	}
	return rows
}
