package chat

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"openrs/generate/engine"
	"openrs/generate/engine/enginetest"
	"openrs/stages/tokenizer"
)

func open(t *testing.T) *Conversation { return openSized(t, engine.Options{MaxSequences: 2}) }

func openSized(t *testing.T, opt engine.Options) *Conversation {
	t.Helper()
	m := enginetest.Open(t, opt)
	return &Conversation{
		Pool: engine.NewPool(m.Engine), Tokenizer: m.Source.Tokenizer, Context: m.Source.Config.MaxPositions,
		Sampling: engine.Request{Stop: m.Source.EOS, Seed: 1, MaxNewTokens: 60},
	}
}

func say(t *testing.T, c *Conversation, text string) (Reply, string) {
	t.Helper()
	var shown strings.Builder
	r, err := c.Say(t.Context(), text, func(bool) {}, func(p string) { shown.WriteString(p) })
	if err != nil {
		t.Fatal(err)
	}
	return r, shown.String()
}

func TestTurns(t *testing.T) {
	c := open(t)
	first, shown := say(t, c, "1+2")
	if first.Text != shown || first.Text == "" || first.Finish != "stop" || first.Tokens == 0 {
		t.Errorf("reply %+v, shown %q", first, shown)
	}
	second, _ := say(t, c, "3+4")
	want := []tokenizer.Message{{Role: "user", Content: "1+2"}, {Role: "assistant", Content: first.Text}, {Role: "user", Content: "3+4"}, {Role: "assistant", Content: second.Text}}
	if !slices.EqualFunc(c.turns, want, func(a, b tokenizer.Message) bool { return a.Role == b.Role && a.Content == b.Content }) {
		t.Errorf("turns %v, want %v", c.turns, want)
	}
	// Taken back and said again it is the same: greedy, and the same turns before it.
	if !c.Undo() {
		t.Error("nothing to undo")
	}
	if again, _ := say(t, c, "3+4"); again.Text != second.Text {
		t.Errorf("again %q, before %q", again.Text, second.Text)
	}
	c.Clear()
	if again, _ := say(t, c, "1+2"); again.Text != first.Text {
		t.Errorf("anew %q, before %q", again.Text, first.Text)
	}
	c.Clear()
	if c.Undo() {
		t.Error("something to undo after Clear")
	}
}

func TestInterruptAndOverflow(t *testing.T) {
	c := open(t)
	c.Sampling.Temperature, c.Sampling.MaxNewTokens, c.Sampling.Stop = 3, 0, nil
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	r, err := c.Say(ctx, "1+1", func(bool) {}, func(string) {
		if n++; n == 5 {
			cancel()
		}
	})
	if err != nil || r.Finish != "interrupted" || r.Tokens != 5 || len(c.turns) != 2 {
		t.Errorf("%+v, %v, %d turns", r, err, len(c.turns))
	}
	if r, _ := say(t, c, "2"); r.Finish != "length" {
		t.Errorf("without a bound: %+v", r)
	}
	before := len(c.turns)
	if _, err := c.Say(t.Context(), strings.Repeat("9+", 700), func(bool) {}, func(string) {}); !ErrTooLong(err) || len(c.turns) != before {
		t.Errorf("%v, %d turns, want %d", err, len(c.turns), before)
	}
}

// TestSmallCache has a cache that holds less than the model's context.
func TestSmallCache(t *testing.T) {
	c := openSized(t, engine.Options{MaxSequences: 2, CacheTokens: 64})
	c.Context = 64
	c.Sampling.Temperature, c.Sampling.MaxNewTokens, c.Sampling.Stop = 3, 1000, nil
	r, shown := say(t, c, "1+1")
	if r.Finish != "length" || r.Text != shown || r.Tokens < 20 || r.Tokens > 64 {
		t.Errorf("reply %+v", r)
	}
	if _, err := c.Say(t.Context(), "1", func(bool) {}, func(string) {}); !ErrTooLong(err) {
		t.Errorf("got %v, want the remark that /new helps", err)
	}
	var out bytes.Buffer
	term := &terminal{conversation: c, out: &out, talk: true}
	if err := term.run(t.Context(), strings.NewReader("1\n/new\n2\n")); err != nil || !strings.Contains(out.String(), "outgrown the model's context of 64") {
		t.Errorf("%v after %q", err, out.String())
	}
}

// TestNamedStop ends an answer at an ordinary token, as --stop does.
func TestNamedStop(t *testing.T) {
	c := open(t)
	whole, _ := say(t, c, "1+2")
	ids := c.Tokenizer.Encode("=")
	if len(ids) != 1 || !strings.Contains(whole.Text, "=") {
		t.Fatalf("%v, %q", ids, whole.Text)
	}
	c.Clear()
	c.Sampling.Stop = append(slices.Clone(c.Sampling.Stop), ids...)
	want, _, _ := strings.Cut(whole.Text, "=")
	if r, shown := say(t, c, "1+2"); r.Text != want || shown != want || r.Finish != "stop" {
		t.Errorf("%+v, shown %q, want %q", r, shown, want)
	}
}

// TestBrokenTemplate is told of what a template can't render, and can go on.
func TestBrokenTemplate(t *testing.T) {
	c := open(t)
	c.Template = map[string]any{"template": "missing"}
	var out bytes.Buffer
	term := &terminal{conversation: c, out: &out, talk: true}
	if err := term.run(t.Context(), strings.NewReader("1\n2\n")); err != nil || strings.Count(out.String(), "no chat template \"missing\"") != 2 {
		t.Errorf("%v after %q", err, out.String())
	}
	term.talk = false
	if err := term.run(t.Context(), strings.NewReader("1\n")); err == nil {
		t.Error("a script is told nothing")
	}
}

// TestInterruptTwice is Ctrl-C while a prompt is read: the second one ends the command.
func TestInterruptTwice(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	term := &terminal{}
	term.set(cancel)
	if !term.interrupt() || ctx.Err() == nil {
		t.Error("the first did not end the answer")
	}
	if term.interrupt() {
		t.Error("the second was taken for the answer too")
	}
}

func TestScreen(t *testing.T) {
	for _, c := range []struct {
		thinking bool
		pieces   []string
		want     string
	}{
		{false, []string{"a", "b"}, "ab"},
		{false, []string{"<think>", "x", "</think>", "y"}, dimOn + "<think>x</think>" + dimOff + "y"},
		{true, []string{"x", "</think>y"}, dimOn + "x</think>" + dimOff + "y"},
		{true, []string{"never ends"}, dimOn + "never ends" + dimOff},
		{false, []string{"red\x1b[31m\a\u009b5m\ttab\n"}, "red[31m5m\ttab\n"},
	} {
		for _, colour := range []bool{true, false} {
			var out bytes.Buffer
			s := &screen{out: &out, colour: colour}
			s.begin(c.thinking)
			for _, p := range c.pieces {
				s.write(p)
			}
			s.end()
			want := c.want
			if !colour {
				want = strings.NewReplacer(dimOn, "", dimOff, "").Replace(want)
			}
			if out.String() != want {
				t.Errorf("%q, colour %v: %q, want %q", c.pieces, colour, out.String(), want)
			}
		}
	}
}

func TestTerminal(t *testing.T) {
	c := open(t)
	one, _ := say(t, c, "1+2")
	c.Clear()
	two, _ := say(t, c, "3\n+4")
	c.Clear()
	var out bytes.Buffer
	term := &terminal{conversation: c, out: &out}
	if err := term.run(t.Context(), strings.NewReader("1+2\n\n/new\n3\\\n+4\n/undo\n/undo\n/quit\n5")); err != nil {
		t.Fatal(err)
	}
	if want := one.Text + "\n" + two.Text + "\n(nothing has been said yet)\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := term.run(ctx, blocked{}); err == nil {
		t.Error("a signal while waiting for input ends nothing")
	}
}

// blocked is a terminal at which nobody types.
type blocked struct{}

func (blocked) Read([]byte) (int, error) { select {} }

func TestOpens(t *testing.T) {
	for prompt, want := range map[string]bool{"<|Assistant|><think>\n": true, "<think>": true, "<think>\n\n</think>\n\n": false, "assistant\n": false} {
		if opens(prompt) != want {
			t.Errorf("%q: %v", prompt, !want)
		}
	}
}
