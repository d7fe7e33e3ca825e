package chat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"openrs/generate/engine"
	"openrs/generate/sampler"
	"openrs/stages"
	"openrs/stages/tokenizer"
)

// Flags are the flags of the command.
func Flags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), sampler.Flags(), []cli.Flag{
		&cli.StringFlag{Name: "system", Usage: "system message"},
		&cli.IntFlag{Name: "max-new-tokens", Usage: "longest answer (0: what the context leaves)"},
		&cli.Float64Flag{Name: "temperature", Value: 1, Usage: "0 is greedy (default: the model's own)"},
		&cli.Float64Flag{Name: "top-p", Value: 1, Usage: "nucleus sampling (default: the model's own)"},
		&cli.IntFlag{Name: "top-k", Usage: "sample among the K most probable tokens (default: the model's own)"},
	})
}

// help is what /help says.
const help = `/new         begin anew
/undo        take the last question back
/system TEXT another system message, and begin anew
/quit        end; so does the end of the input
Ctrl-C ends an answer; at the prompt it ends the conversation.
`

// Run talks with the flags' model: a line of standard input is a turn, and a line that ends in a
// backslash goes on in the next.
func Run(ctx context.Context, env *stages.Env) error {
	request, err := sampling(env)
	if err != nil {
		return err
	}
	s, err := sampler.Open(env, 1024)
	if err != nil {
		return err
	}
	defer s.Close()
	if !s.Source.Tokenizer.HasChatTemplate() && s.Template["template"] == nil {
		return fmt.Errorf("%s: %w, which a conversation needs: generate serve has /v1/completions", s.Source.Name, tokenizer.ErrNoTemplate)
	}
	if err := s.Load(); err != nil {
		return err
	}
	suggest(&request, env, s)
	request.Stop = s.Stop
	c := &Conversation{
		Pool: s.Pool, Tokenizer: s.Source.Tokenizer, Sampling: request, System: env.String("system"), Template: s.Template,
		Context: min(s.Sizes.Context, s.Sizes.CacheTokens/s.Sizes.PageSize*s.Sizes.PageSize),
	}
	out := env.App.Writer
	t := &terminal{
		conversation: c, out: out, talk: isTerminal(os.Stdin) && isTerminal(os.Stdout),
		colour: isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
	env.OnInterrupt(t.interrupt)
	if t.talk {
		fmt.Fprintf(out, "%s on %s. /help says what else there is.\n", s.Source.Name, s.Device.Name())
	}
	return t.run(ctx, os.Stdin)
}

// sampling reads the flags of sampling.
func sampling(env *stages.Env) (engine.Request, error) {
	r := engine.Request{
		MaxNewTokens: env.Int("max-new-tokens"), Temperature: float32(env.Float64("temperature")),
		TopP: float32(env.Float64("top-p")), TopK: env.Int("top-k"), Seed: env.Int64("seed"), ProblemID: "chat",
	}
	switch {
	case r.MaxNewTokens < 0:
		return r, fmt.Errorf("--max-new-tokens is %d, expected 0 or more", r.MaxNewTokens)
	case !(r.Temperature >= 0 && r.Temperature < 1e6):
		return r, fmt.Errorf("--temperature is %v, expected at least 0", env.Float64("temperature"))
	case !(r.TopP >= 0 && r.TopP <= 1):
		return r, fmt.Errorf("--top-p is %v, expected 0 to 1", env.Float64("top-p"))
	case r.TopK < 0:
		return r, fmt.Errorf("--top-k is %d, expected at least 0", r.TopK)
	}
	return r, nil
}

// suggest fills in what the flags leave open with what the model's authors suggest.
func suggest(r *engine.Request, env *stages.Env, s *sampler.Sampler) {
	g := s.Source.Generation
	if g.Temperature != nil && !env.IsSet("temperature") {
		r.Temperature = float32(*g.Temperature)
	}
	if g.TopP != nil && !env.IsSet("top-p") {
		r.TopP = float32(*g.TopP)
	}
	if g.TopK != nil && !env.IsSet("top-k") {
		r.TopK = *g.TopK
	}
}

// terminal reads turns and shows answers.
type terminal struct {
	conversation *Conversation
	out          io.Writer
	talk         bool // somebody is there: prompts and remarks are wanted
	colour       bool

	mu     sync.Mutex
	cancel context.CancelFunc // ends the answer that is coming; nil between answers
}

// interrupt ends the answer that is coming, if one is and that was not tried before: it may take a while
// until a long prompt has been read.
func (t *terminal) interrupt() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel == nil {
		return false
	}
	t.cancel()
	t.cancel = nil
	return true
}

func (t *terminal) run(ctx context.Context, in io.Reader) error {
	// Read by a goroutine of its own, since a terminal's read can't be called off.
	type line struct {
		text string
		err  error
	}
	turns := make(chan line)
	go func() {
		for lines := bufio.NewReader(in); ; {
			text, err := turn(lines)
			select {
			case turns <- line{text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for ctx.Err() == nil { // there may be a line too
		if t.talk {
			fmt.Fprint(t.out, "\n> ")
		}
		select {
		case <-ctx.Done():
		case l := <-turns:
			if l.text != "" {
				if quit, err := t.take(ctx, l.text); quit || err != nil {
					return err
				}
			}
			if errors.Is(l.err, io.EOF) {
				return nil
			}
			if l.err != nil {
				return fmt.Errorf("standard input: %w", l.err)
			}
		}
	}
	return ctx.Err()
}

// turn reads lines up to one that does not end in a backslash.
func turn(lines *bufio.Reader) (string, error) {
	var all strings.Builder
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		more, goesOn := strings.CutSuffix(line, `\`)
		if !goesOn || err != nil {
			all.WriteString(line)
			return strings.TrimSpace(all.String()), err
		}
		all.WriteString(more + "\n")
	}
}

// take carries out a command, or says a turn.
func (t *terminal) take(ctx context.Context, text string) (quit bool, err error) {
	command, rest, _ := strings.Cut(text, " ")
	switch command {
	case "/quit", "/exit", "/bye":
		return true, nil
	case "/help", "/?":
		fmt.Fprint(t.out, help)
	case "/new":
		t.conversation.Clear()
	case "/undo":
		if !t.conversation.Undo() {
			fmt.Fprintln(t.out, "(nothing has been said yet)")
		}
	case "/system":
		t.conversation.Clear()
		t.conversation.System = strings.TrimSpace(rest)
	default:
		if strings.HasPrefix(command, "/") && t.talk && !strings.Contains(command[1:], "/") {
			fmt.Fprintf(t.out, "(no command %s; /help lists them)\n", command)
			return false, nil
		}
		return false, t.say(ctx, text)
	}
	return false, nil
}

// say shows the answer to a turn.
func (t *terminal) say(ctx context.Context, text string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.set(cancel)
	defer t.set(nil)
	s := &screen{out: t.out, colour: t.colour}
	began := time.Now()
	reply, err := t.conversation.Say(ctx, text, s.begin, s.write)
	s.end()
	if ErrTooLong(err) {
		err = fmt.Errorf("the conversation has outgrown the model's context of %d tokens: /new begins anew: %w", t.conversation.Context, err)
	}
	switch {
	case err != nil && t.talk && !errors.Is(err, errEngine): // somebody can say something else
		fmt.Fprintf(t.out, "(%v)\n", err)
		return nil
	case err != nil:
		return err
	}
	fmt.Fprintln(t.out)
	if t.talk {
		note := fmt.Sprintf("%d tokens, %.1f a second", reply.Tokens, float64(reply.Tokens)/time.Since(began).Seconds())
		if reply.Finish != "stop" {
			note += ", ended by " + map[string]string{"length": "the length", "interrupted": "you"}[reply.Finish]
		}
		s.set(true)
		s.put("(" + note + ")\n")
		s.set(false)
	}
	return s.err
}

func (t *terminal) set(cancel context.CancelFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
}

// isTerminal reports whether a file is a character device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
