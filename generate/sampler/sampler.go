// Package sampler opens what every command that samples needs, as its flags say: a model on one or more
// devices, and an engine on each, sized by what fits into memory. What is sampled, and for whom, is the
// commands' affair.
package sampler

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/generate/engine"
	"openrs/generate/logprobs"
	"openrs/stages"
	"openrs/stages/backend"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
	"openrs/stages/tokenizer"
)

// Flags name the model and the devices and size the engines.
func Flags() []cli.Flag {
	return slices.Concat(pretrained.SessionFlags(), []cli.Flag{
		&cli.StringFlag{Name: "chat-template-kwargs", Usage: "variables of the chat template as a `JSON` object, such as {\"enable_thinking\": false}"},
		&cli.StringSliceFlag{Name: "stop", Usage: "`TOKEN` that ends a completion, beside the model's own; may be repeated"},
		&cli.IntFlag{Name: "max-sequences", Value: 256, Usage: "sequences that decode together"},
		&cli.IntFlag{Name: "cache-tokens", Usage: "positions in the key-value cache (0: enough for --max-sequences of 1,024, or what fits into memory)"},
		&cli.IntFlag{Name: "page-size", Usage: "positions a page of the cache (0: 32)"},
		&cli.IntFlag{Name: "prefill-chunk", Usage: "prompt tokens computed in a step beside decoding (0: 1,024)"},
	})
}

// Sampler is an opened model and the engines that sample from it.
type Sampler struct {
	*pretrained.Session
	Models   []*model.Model // one a device; without weights until Load
	Stop     []int32        // the model's end tokens and those named by --stop
	Template map[string]any // variables of the chat template, by --chat-template-kwargs
	Sizes    engine.Options // of each engine, defaults filled in
	Pool     *engine.Pool
	// Scorable is the longest text whose log-probabilities can be worked out beside the engines.
	Scorable int
}

// Open opens the flags' model without reading its weights. newTokens is the longest completion that
// must fit beside a prompt of ordinary length: where --cache-tokens is not given the cache is made
// smaller, down to that, until everything fits into memory. The caller closes the sampler.
func Open(env *stages.Env, newTokens int) (s *Sampler, err error) {
	session, err := pretrained.StartShared(env.Context)
	if err != nil {
		return nil, err
	}
	opened := &Sampler{Session: session, Pool: engine.NewPool()}
	s = opened
	defer func() {
		if err != nil {
			opened.Close() // s is nil by then
		}
	}()
	if text := env.String("chat-template-kwargs"); text != "" {
		if s.Template, err = tokenizer.Variables([]byte(text)); err != nil {
			return nil, fmt.Errorf("--chat-template-kwargs: %w", err)
		}
	}
	if s.Stop, err = stopTokens(session.Source, env.StringSlice("stop")); err != nil {
		return nil, err
	}
	s.Sizes, err = fit(env, session, newTokens, engine.Options{
		MaxSequences: env.Int("max-sequences"), CacheTokens: env.Int("cache-tokens"),
		PageSize: env.Int("page-size"), PrefillChunk: env.Int("prefill-chunk"),
	})
	if err != nil {
		return nil, err
	}
	s.Scorable = scorable(session, s.Sizes)
	if s.Models, err = session.NewEach(); err != nil {
		return nil, err
	}
	for _, m := range s.Models {
		e, err := engine.New(m, s.Sizes)
		if err != nil {
			return nil, err
		}
		s.Pool.Join(e)
	}
	return s, nil
}

// Load reads the model's own weights into every device.
func (s *Sampler) Load() error {
	for _, m := range s.Models {
		if err := s.Source.Load(m); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the engines, the models and the devices.
func (s *Sampler) Close() error {
	s.Pool.Close()
	return s.Session.Close()
}

// fit plans the memory of the model and the engine. Where the cache has no given size it is made
// smaller until everything fits: what is sampled does not depend on it.
func fit(env *stages.Env, session *pretrained.Session, newTokens int, opt engine.Options) (engine.Options, error) {
	cfg, dev, dtype := session.Source.Config, session.Device, session.DType
	given := opt.CacheTokens > 0
	opt, err := opt.Defaults(cfg)
	if err != nil {
		return opt, err
	}
	value := roofline.CacheValue(dev)
	planned := func() (model.Memory, error) {
		plan, err := opt.Plan(cfg, dtype)
		plan.Weights += session.Source.AdapterBytes(dtype)
		plan.Cache = plan.Cache / 4 * value // planned as float32
		return plan, err
	}
	plan, err := planned()
	smallest := min(opt.Context, 512+newTokens)
	for err == nil && !given && !backend.Fits(dev, plan) && opt.CacheTokens/2 >= smallest {
		opt.CacheTokens /= 2
		plan, err = planned()
	}
	if err != nil {
		return opt, err
	}
	if !backend.Fits(dev, plan) {
		return opt, backend.Refuse(dev, plan, "a smaller --cache-tokens, --max-sequences or --prefill-chunk, or --dtype bf16, needs less")
	}
	backend.LogPlan(env.Log, dev, plan)
	return opt, nil
}

// scorable plans the engines and the scoring of a text together, of the longest that fits.
func scorable(session *pretrained.Session, sizes engine.Options) int {
	cfg, dev, dtype := session.Source.Config, session.Device, session.DType
	for n := sizes.Context; ; n /= 2 {
		plan, err := sizes.Plan(cfg, dtype)
		if err != nil {
			return 0
		}
		scoring := logprobs.Plan(cfg, dtype, n)
		plan.Cache = (plan.Cache + scoring.Cache) / 4 * roofline.CacheValue(dev)
		plan.Weights += session.Source.AdapterBytes(dtype)
		plan.Activations += scoring.Activations
		if n <= smallestScored || backend.Fits(dev, plan) {
			return n
		}
	}
}

// smallestScored is a text that no server refuses.
const smallestScored = 512

// stopTokens are the model's end tokens and those named on the command line.
func stopTokens(source *pretrained.Model, names []string) ([]int32, error) {
	stop := slices.Clone(source.EOS)
	for _, name := range names {
		id, ok := source.Tokenizer.ID(name)
		if !ok {
			return nil, fmt.Errorf("--stop %q: no such token in the vocabulary of %s", name, source.Name)
		}
		stop = append(stop, id)
	}
	return stop, nil
}
