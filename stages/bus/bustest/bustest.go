// Package bustest runs a real NATS server with JetStream inside a test. It is a package of its own so
// that binaries do not contain the server.
package bustest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// MaxPayload is the largest message the test server accepts, in bytes.
const MaxPayload = 8 << 20

// Server is a running test server; its data lies in a folder of the test.
type Server struct {
	// URL stays the same over restarts.
	URL string

	t   testing.TB
	opt *server.Options
	srv *server.Server
}

// Start runs a server on a free port of the loopback interface until the test ends. Each of change
// may alter the server's options first (authentication, TLS, limits). Unlike a server for real runs it
// leaves writing to the disk to the operating system: a test stops the server, not the machine.
func Start(t testing.TB, change ...func(*server.Options)) *Server {
	t.Helper()
	s := &Server{t: t, opt: &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), MaxPayload: MaxPayload,
	}}
	for _, c := range change {
		c(s.opt)
	}
	s.start()
	t.Cleanup(s.Stop)
	return s
}

func (s *Server) start() {
	s.t.Helper()
	// The server fills in defaults in place: it gets a copy, so that a restart sees what the test set.
	opt := s.opt.Clone()
	srv, err := server.NewServer(opt)
	if err != nil {
		s.t.Fatalf("test nats server: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		srv.Shutdown()
		s.t.Fatal("test nats server: not ready within 10s")
	}
	s.srv = srv
	if s.URL == "" {
		s.URL, s.opt.Port = srv.ClientURL(), opt.Port
	}
}

// Stop shuts the server down; what it has acknowledged stays on disk.
func (s *Server) Stop() {
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
		s.srv = nil
	}
}

// Restart starts the server again on the same port and data, stopping it first if it runs.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.start()
}
