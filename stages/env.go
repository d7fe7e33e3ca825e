package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/schemas"
	"openrs/stages/bus"
	"openrs/stages/table"
)

// Env is what a command works with: its flags, its log, and the way to its inputs and outputs. It is
// used by one goroutine.
type Env struct {
	*cli.Context              // the flags, recipe applied
	Stage        string       // "generate", "update sft"
	Log          *slog.Logger // on standard error
	Settings     []Setting    // every flag with its origin

	bus      *bus.Bus
	run      *bus.Run
	recorder *Recorder
	gauges   *gauges
}

func newEnv(c *cli.Context, stage string, settings []Setting) (*Env, error) {
	log, err := newLogger(c)
	if err != nil {
		return nil, err
	}
	if run := c.String("run"); run != "" {
		// Before anything looks into the run's folder.
		if err := bus.CheckRunName(run); err != nil {
			return nil, fmt.Errorf("--run: %w", err)
		}
		log = log.With("run", run)
	}
	log = log.With("stage", stage)
	for _, s := range settings {
		if s.Origin != "default" {
			log.Debug("setting", "name", s.Name, "value", s.Value, "origin", s.Origin)
		}
	}
	return &Env{Context: c, Stage: stage, Log: log, Settings: settings}, nil
}

// RunName is --run, "" outside a run.
func (e *Env) RunName() string { return e.String("run") }

// RunDir is the folder where the run keeps its files, "" outside a run.
func (e *Env) RunDir() string {
	if e.RunName() == "" {
		return ""
	}
	return filepath.Join(e.String("runs-dir"), e.RunName())
}

// slug is the stage's name as it stands in subjects and file names.
func (e *Env) slug() string { return strings.ReplaceAll(e.Stage, " ", "-") }

// Bus connects to the run's server, the first time it is asked, and stores the command's settings
// with the run.
func (e *Env) Bus(ctx context.Context) (*bus.Run, error) {
	if e.run != nil {
		return e.run, nil
	}
	if e.RunName() == "" {
		return nil, errors.New("expected --run NAME")
	}
	dir := ""
	switch e.String("policy-store") {
	case "file":
		var err error
		if dir, err = filepath.Abs(e.RunDir()); err != nil {
			return nil, fmt.Errorf("--runs-dir: %w", err)
		}
	case "object":
	default:
		return nil, fmt.Errorf("--policy-store is %q, expected file or object", e.String("policy-store"))
	}
	var err error
	e.bus, err = bus.Connect(ctx, bus.Options{
		URL: e.String("nats"), Creds: e.String("nats-creds"), NKey: e.String("nats-nkey"),
		TLSCA: e.String("nats-tls-ca"), TLSCert: e.String("nats-tls-cert"), TLSKey: e.String("nats-tls-key"),
		Name: "openrs " + e.Stage, Log: e.Log,
	})
	if err != nil {
		return nil, err
	}
	if e.run, err = e.bus.Run(ctx, e.RunName(), bus.RunOptions{Dir: dir}); err != nil {
		return nil, err
	}
	settings, err := json.Marshal(e.Settings)
	if err != nil {
		return nil, err
	}
	return e.run, e.run.PutConfig(ctx, e.slug(), settings)
}

// Source opens --in for records of a kind.
func (e *Env) Source(ctx context.Context, kind schemas.Kind) (Source, error) {
	if wait := e.Duration("ack-wait"); e.IsSet("ack-wait") && wait <= 0 {
		return nil, fmt.Errorf("--ack-wait is %s, expected more than 0", wait)
	}
	at, err := ParseEndpoint(e.String("in"), e.RunName())
	if err != nil {
		return nil, fmt.Errorf("--in: %w", err)
	}
	if at.Transport != NATS {
		return openFile(at.Path, kind)
	}
	if value := e.String("replay"); value != "" {
		from, err := parseReplay(value)
		if err != nil {
			return nil, err
		}
		return e.replay(ctx, kind, from)
	}
	run, err := e.Bus(ctx)
	if err != nil {
		return nil, err
	}
	opt := bus.ConsumeOptions{Durable: e.slug(), AckWait: e.Duration("ack-wait"), MaxDeliver: 20}
	if kind == schemas.KindProblems {
		opt.MaxDeliver = -1 // Reclaim hands batches back: how often one was handed out says nothing
	}
	consumer, err := run.Consume(ctx, bus.Stream(kind), opt)
	if err != nil {
		return nil, err
	}
	return &streamSource{consumer: consumer, kind: kind, dead: e.deadLetters(kind), skipBad: e.Bool("skip-bad")}, nil
}

// Replay opens --in like Source, but a stream is read alone and in order, from a sequence number on
// (0: the first), and nothing is acknowledged.
func (e *Env) Replay(ctx context.Context, kind schemas.Kind, from uint64) (Source, error) {
	at, err := ParseEndpoint(e.String("in"), e.RunName())
	if err != nil {
		return nil, fmt.Errorf("--in: %w", err)
	}
	if at.Transport != NATS {
		return openFile(at.Path, kind)
	}
	return e.replay(ctx, kind, bus.From{Seq: from})
}

func (e *Env) replay(ctx context.Context, kind schemas.Kind, from bus.From) (Source, error) {
	run, err := e.Bus(ctx)
	if err != nil {
		return nil, err
	}
	replayer, err := run.Replay(ctx, bus.Stream(kind), from)
	if err != nil {
		return nil, err
	}
	return &replaySource{replayer: replayer, kind: kind}, nil
}

// Scored opens scored rollouts for reading to their end: the file or pipe at path, or for "" what --run
// has recorded so far, else standard input.
func (e *Env) Scored(ctx context.Context, path string) (Source, error) {
	at, err := ParseEndpoint(path, e.RunName())
	if err != nil {
		return nil, fmt.Errorf("--in: %w", err)
	}
	if at.Transport != NATS {
		return openFile(at.Path, schemas.KindScored)
	}
	run, err := e.Bus(ctx)
	if err != nil {
		return nil, err
	}
	last, err := run.Last(ctx, bus.Scored)
	if err != nil {
		return nil, err
	}
	if last == 0 {
		return nil, fmt.Errorf("run %s has no scored rollouts yet", e.RunName())
	}
	in, err := e.replay(ctx, schemas.KindScored, bus.From{})
	if err != nil {
		return nil, err
	}
	return &untilSource{Source: in, last: last}, nil
}

// Sink opens --out for records of a kind, made from records of kind input.
func (e *Env) Sink(ctx context.Context, kind, input schemas.Kind) (Sink, error) {
	at, err := ParseEndpoint(e.String("out"), e.RunName())
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	if at.Transport != NATS {
		w, err := table.Create(at.Path, kind)
		if err != nil {
			return nil, err
		}
		return &fileSink{writer: w, path: at.Path, abort: w.Abort}, nil
	}
	if e.String("replay") != "" {
		return nil, errors.New("--replay needs --out: what is made again has no place in the run's own stream")
	}
	run, err := e.Bus(ctx)
	if err != nil {
		return nil, err
	}
	return &streamSink{run: run, kind: kind, dead: e.deadLetters(input)}, nil
}

func (e *Env) deadLetters(input schemas.Kind) deadLetters {
	return deadLetters{run: e.run, stage: e.slug(), input: bus.Stream(input), log: e.Log}
}

// Recorder opens the command's metrics: a file in the run's folder and the run's stream when there is
// a run, Prometheus when --metrics-addr is given. dir, if not "", is a folder to keep the file in
// without a run.
func (e *Env) Recorder(ctx context.Context, dir string) (*Recorder, error) {
	if e.recorder != nil {
		return e.recorder, nil
	}
	r := &Recorder{stage: e.slug(), log: e.Log}
	e.recorder = r
	if dir == "" {
		dir = e.RunDir()
	}
	var err error
	if dir != "" {
		if r.file, err = openMetricsFile(dir, e.Stage); err != nil {
			return nil, err
		}
	}
	if addr := e.String("metrics-addr"); addr != "" {
		if e.gauges, err = serveGauges(addr, e.Log); err != nil {
			return nil, err
		}
		r.gauges = e.gauges
	}
	if e.run != nil {
		r.sink = &streamSink{run: e.run, kind: schemas.KindMetrics}
	}
	return r, nil
}

func (e *Env) close() error {
	var err error
	if e.recorder != nil {
		err = e.recorder.close()
	}
	if e.gauges != nil {
		err = errors.Join(err, e.gauges.server.Close())
	}
	if e.bus != nil {
		e.bus.Close()
	}
	return err
}
