package serve

import (
	"slices"
	"sync/atomic"

	"openrs/generate/engine"
	"openrs/schemas"
	"openrs/stages/tokenizer"
)

// choice is one completion of a request as it grows.
type choice struct {
	decoder *tokenizer.Decoder
	stop    stopper
	ends    []int32 // tokens that end it and are no part of its text
	tokens  int     // sampled so far, up to its end
	finish  string  // "stop" or "length" once it has ended
	halt    atomic.Bool
}

// next takes a token and returns what it adds to the text; shown says that the token is part of it.
// Tokens after the end are ignored. At a stop string halt is set, which the loop sees at the next token.
func (c *choice) next(t engine.Token) (text string, shown bool) {
	if c.finish != "" {
		return "", false
	}
	c.tokens++
	shown = !(t.Finish == schemas.FinishStop && slices.Contains(c.ends, t.ID))
	if shown {
		text = c.decoder.Next(t.ID)
	}
	if t.Finish != "" {
		text += c.decoder.Flush()
	}
	text, hit := c.stop.next(text)
	switch {
	case hit:
		c.finish = schemas.FinishStop
		c.halt.Store(true)
	case t.Finish != "":
		text += c.stop.rest()
		c.finish = t.Finish
	}
	return text, shown
}
