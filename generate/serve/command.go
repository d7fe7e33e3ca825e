package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"openrs/generate/logprobs"
	"openrs/generate/sampler"
	"openrs/stages"
)

// Flags are the flags of the command.
func Flags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), sampler.Flags(), []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8000", Usage: "`HOST:PORT` to serve on (port 0: any); other hosts than this one can reach 0.0.0.0:8000"},
		&cli.StringFlag{Name: "api-key", Usage: "bearer `TOKEN` that requests must carry (default: none)", EnvVars: []string{"OPENRS_API_KEY"}},
		&cli.StringFlag{Name: "served-model-name", Usage: "`NAME` of the model in the API (default: --model's last part)"},
		&cli.Int64Flag{Name: "max-choices", Value: 256, Usage: "completions that one request may ask for"},
		&cli.Int64Flag{Name: "max-waiting", Value: 1024, Usage: "prompts that may wait for their turn; more are refused with 429"},
		&cli.Int64Flag{Name: "max-body", Value: 8 << 20, Usage: "bytes of a request"},
		&cli.DurationFlag{Name: "drain", Value: 30 * time.Second, Usage: "how long running requests may take to finish after a signal"},
	})
}

// Run serves the flags' model until a signal.
func Run(ctx context.Context, env *stages.Env) error {
	for name, value := range map[string]int64{
		"max-choices": env.Int64("max-choices"), "max-waiting": env.Int64("max-waiting"), "max-body": env.Int64("max-body"),
	} {
		if value < 1 {
			return fmt.Errorf("--%s is %d, expected at least 1", name, value)
		}
	}
	drain := env.Duration("drain")
	if drain < 0 {
		return fmt.Errorf("--drain is %s, expected 0 or more", drain)
	}
	listener, err := net.Listen("tcp", env.String("listen"))
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer listener.Close()
	s, err := sampler.Open(env, 1024)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Load(); err != nil {
		return err
	}
	scorer := logprobs.New(s.Models[0])
	defer scorer.Close()

	name := env.String("served-model-name")
	if name == "" {
		name = filepath.Base(strings.TrimRight(s.Source.Name, "/"))
	}
	config, err := json.Marshal([]any{s.Source.Config, s.DType.String(), s.Device.Name()})
	if err != nil {
		return err
	}
	print := sha256.Sum256(config)
	server := New(Options{
		Name: name, Folder: env.String("model"), Fingerprint: "openrs-" + hex.EncodeToString(print[:6]), Tokenizer: s.Source.Tokenizer, Ends: s.Stop,
		Generation: s.Source.Generation, Template: s.Template, Vocab: s.Source.Config.Vocab,
		Context:    min(s.Sizes.Context, s.Sizes.CacheTokens/s.Sizes.PageSize*s.Sizes.PageSize),
		Scorable:   s.Scorable,
		MaxChoices: int(env.Int64("max-choices")), Together: s.Sizes.MaxSequences, MaxWaiting: int(env.Int64("max-waiting")), MaxBody: env.Int64("max-body"),
		Key: env.String("api-key"), Log: env.Log,
	}, s.Pool, scorer)
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() && env.String("api-key") == "" {
		env.Log.Warn("everybody who can reach this machine can use the model: --api-key asks for a key", "listen", addr.String())
	}
	env.SetGrace(drain + 10*time.Second)
	env.Log.Info("serving", "url", "http://"+listener.Addr().String()+"/v1", "model", name, "device", s.Device.Name(), "dtype", s.DType.String(), "context", server.opt.Context, "scorable", s.Scorable)
	return server.Run(ctx, listener, drain)
}
