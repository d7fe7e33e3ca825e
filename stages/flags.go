package stages

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"openrs/stages/bus"
)

// CommonFlags are the flags of every command that reads or writes records.
func CommonFlags() []cli.Flag {
	return append(RunFlags(),
		&cli.StringFlag{Name: "in", Usage: "where records come `FROM`: nats:, a file (.arrow .parquet .jsonl), or - (Arrow on standard input); default: nats: with --run, else -"},
		&cli.StringFlag{Name: "out", Usage: "where records go `TO`, likewise"},
		&cli.DurationFlag{Name: "ack-wait", Value: ackWait, Usage: "in a run: how long a worker may be silent, as one that was killed is, before its batch goes to another"},
	)
}

// ReplayFlag lets a command read a stream again.
func ReplayFlag() cli.Flag {
	return &cli.StringFlag{Name: "replay", Usage: "read the input stream again, alone and to its end, from `WHERE`: start, a sequence number, or a time (RFC 3339)"}
}

// SkipBadFlag lets a command go on past messages that can't be decoded.
func SkipBadFlag() cli.Flag {
	return &cli.BoolFlag{Name: "skip-bad", Usage: "pass over messages that can't be decoded (a copy is kept in the dead letters) instead of stopping"}
}

// RunFlags are CommonFlags without the endpoints.
func RunFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "run", Usage: "`NAME` of the run whose streams to join"},
		&cli.StringFlag{Name: "runs-dir", Value: "runs", Usage: "`DIR` in which a run keeps its files"},
		&cli.StringFlag{Name: "policy-store", Value: "file", Usage: "where policies are kept: file (in the run's folder, which all stages share) or object (on the server, for stages that do not)"},
		&cli.StringFlag{Name: "nats", Usage: "`URL` of the NATS server", Value: "nats://127.0.0.1:4222", EnvVars: []string{"NATS_URL"}},
		&cli.StringFlag{Name: "nats-creds", Usage: "credentials `FILE` (JWT and seed)", EnvVars: []string{"NATS_CREDS"}},
		&cli.StringFlag{Name: "nats-nkey", Usage: "nkey seed `FILE`", EnvVars: []string{"NATS_NKEY"}},
		&cli.StringFlag{Name: "nats-tls-ca", Usage: "certificate authority `FILE`"},
		&cli.StringFlag{Name: "nats-tls-cert", Usage: "client certificate `FILE`"},
		&cli.StringFlag{Name: "nats-tls-key", Usage: "client key `FILE`"},
		&cli.StringFlag{Name: "metrics-addr", Usage: "serve Prometheus metrics at `HOST:PORT`/metrics"},
	}, LogFlags()...)
}

// LogFlags are the flags of every command.
func LogFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "recipe `FILE` (YAML); flags win over it"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "text or json"},
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "debug, info, warn or error"},
	}
}

// newLogger makes the command's logger on standard error.
func newLogger(c *cli.Context) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, fmt.Errorf("--log-level %q: expected debug, info, warn or error", c.String("log-level"))
	}
	opt := &slog.HandlerOptions{Level: level}
	switch c.String("log-format") {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opt)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opt)), nil
	}
	return nil, fmt.Errorf("--log-format %q: expected text or json", c.String("log-format"))
}

// parseReplay reads a value of --replay.
func parseReplay(value string) (bus.From, error) {
	if value == "start" {
		return bus.From{}, nil
	}
	if seq, err := strconv.ParseUint(value, 10, 64); err == nil && seq > 0 {
		return bus.From{Seq: seq}, nil
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return bus.From{Time: at}, nil
	}
	return bus.From{}, fmt.Errorf("--replay %q: expected start, a sequence number from 1, or a time such as 2026-01-02T15:04:05Z", value)
}

// Transport is the kind of an [Endpoint].
type Transport uint8

// The transports.
const (
	Pipe Transport = iota // Arrow IPC on standard input or output
	File                  // a file whose format its extension tells
	NATS                  // the stage's own stream of the run
)

// Endpoint says where records come from or go to.
type Endpoint struct {
	Transport Transport
	Path      string // of a file; "-" for a pipe
}

// ParseEndpoint reads a value of --in or --out; "" is the default: the run's stream when there is a
// run, a pipe otherwise.
func ParseEndpoint(value, run string) (Endpoint, error) {
	switch {
	case value == "" && run != "", value == "nats:":
		if run == "" {
			return Endpoint{}, fmt.Errorf("endpoint nats: needs --run")
		}
		return Endpoint{Transport: NATS}, nil
	case value == "", value == "-":
		return Endpoint{Transport: Pipe, Path: "-"}, nil
	}
	base := strings.TrimSuffix(strings.TrimSuffix(value, ".gz"), ".zst")
	switch filepath.Ext(base) {
	case ".arrow", ".parquet", ".jsonl":
		return Endpoint{Transport: File, Path: value}, nil
	}
	return Endpoint{}, fmt.Errorf("endpoint %q: expected nats:, -, or a file ending in .arrow, .parquet or .jsonl", value)
}

// String is the endpoint as it would be written on the command line.
func (e Endpoint) String() string {
	if e.Transport == NATS {
		return "nats:"
	}
	return e.Path
}
