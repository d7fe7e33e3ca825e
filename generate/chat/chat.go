// Package chat is `generate chat`: a conversation with a model in the terminal.
//
// [Conversation] holds the turns and samples the next one; command.go is the command, screen.go what the
// reader sees of it.
package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"openrs/generate/engine"
	"openrs/stages/tokenizer"
)

// Conversation is the turns of a conversation so far and the engines that continue it. It is used by
// one goroutine.
type Conversation struct {
	Pool      *engine.Pool
	Tokenizer *tokenizer.Tokenizer
	// Sampling is the request of a turn without its prompt. MaxNewTokens 0 is all that the context leaves.
	Sampling engine.Request
	Context  int            // longest prompt and answer together
	System   string         // system message; "" for none
	Template map[string]any // extra variables of the chat template

	turns []tokenizer.Message
}

// Clear forgets all turns.
func (c *Conversation) Clear() { c.turns = nil }

// Undo forgets the last question and its answer, and reports whether there was one.
func (c *Conversation) Undo() bool {
	if len(c.turns) == 0 {
		return false
	}
	c.turns = c.turns[:len(c.turns)-2]
	return true
}

// Reply is what a turn came to.
type Reply struct {
	Text   string
	Tokens int
	// Finish is how it ended: "stop", "length" or, when the context was done, "interrupted".
	Finish string
	// Thinking says that the answer begins inside the thoughts: the prompt has opened them.
	Thinking bool
}

// Say adds a user's turn and samples the answer, which it hands to show in pieces as it comes. begin is
// called before the first with Reply.Thinking. When ctx is done the answer ends where it is, and counts.
// After an error the conversation is as before.
func (c *Conversation) Say(ctx context.Context, text string, begin func(thinking bool), show func(piece string)) (Reply, error) {
	turns := append(c.turns[:len(c.turns):len(c.turns)], tokenizer.Message{Role: "user", Content: text})
	messages := turns
	if c.System != "" {
		messages = append([]tokenizer.Message{{Role: "system", Content: c.System}}, turns...)
	}
	prompt, err := c.Tokenizer.ApplyChatTemplate(messages, true, c.Template)
	if err != nil {
		return Reply{}, err
	}
	request := c.Sampling
	request.Prompt, request.Samples = c.Tokenizer.Encode(prompt), 1
	room := c.Context - len(request.Prompt)
	if room < 1 {
		return Reply{}, fmt.Errorf("%w: %d tokens in a context of %d", engine.ErrPromptTooLong, len(request.Prompt), c.Context)
	}
	if request.MaxNewTokens == 0 || request.MaxNewTokens > room {
		request.MaxNewTokens = room
	}

	reply := Reply{Thinking: opens(prompt)}
	var whole strings.Builder
	decoder := c.Tokenizer.NewDecoder(true)
	add := func(piece string) {
		whole.WriteString(piece)
		show(piece)
	}
	request.Each = func(t engine.Token) bool {
		reply.Tokens++
		if t.Finish != engine.FinishStop { // the end token is no part of the answer
			add(decoder.Next(t.ID))
		}
		reply.Finish = t.Finish
		return ctx.Err() == nil
	}
	if err := c.Pool.Add(request); err != nil {
		return Reply{}, err
	}
	begin(reply.Thinking)
	for !c.Pool.Idle() {
		if _, err := c.Pool.Step(); err != nil {
			return Reply{}, fmt.Errorf("%w: %w", errEngine, err)
		}
	}
	add(decoder.Flush())
	if reply.Finish == "" {
		reply.Finish = "interrupted"
	}
	reply.Text = whole.String()
	answer := reply.Text
	if reply.Thinking {
		answer = thinkTag + "\n" + answer // templates look for the whole pair
	}
	c.turns = append(turns, tokenizer.Message{Role: "assistant", Content: answer})
	return reply, nil
}

// errEngine marks an error after which there are no more answers.
var errEngine = errors.New("sampling")

// ErrTooLong reports whether an error of Say means that the conversation has outgrown the context.
func ErrTooLong(err error) bool { return errors.Is(err, engine.ErrPromptTooLong) }

// The tags around a model's thoughts.
const (
	thinkTag   = "<think>"
	unthinkTag = "</think>"
)

// opens reports whether a prompt leaves the thoughts open.
func opens(prompt string) bool { return strings.HasSuffix(strings.TrimRight(prompt, "\n"), thinkTag) }
