package chat

import (
	"io"
	"strings"
)

// screen writes an answer as it comes, its thoughts dimmed where there are colours.
type screen struct {
	out    io.Writer
	colour bool
	dim    bool
	err    error
}

const (
	dimOn  = "\x1b[2m"
	dimOff = "\x1b[22m"
)

func (s *screen) begin(thinking bool) {
	if thinking {
		s.set(true)
	}
}

// write shows a piece. The tags are tokens of their own in the models that have them, so a piece holds
// them whole or not at all; models that spell them out are shown undimmed.
func (s *screen) write(piece string) {
	for piece != "" {
		tag := thinkTag
		if s.dim {
			tag = unthinkTag
		}
		before, after, found := strings.Cut(piece, tag)
		s.put(clean(before))
		if !found {
			return
		}
		if !s.dim {
			s.set(true)
			s.put(tag)
		} else {
			s.put(tag)
			s.set(false)
		}
		piece = after
	}
}

func (s *screen) end() { s.set(false) }

func (s *screen) set(dim bool) {
	if s.dim != dim && s.colour {
		s.put(map[bool]string{true: dimOn, false: dimOff}[dim])
	}
	s.dim = dim
}

func (s *screen) put(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.out, text)
	}
}

// clean takes control characters out of a model's text, which could otherwise command the terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}
