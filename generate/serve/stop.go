package serve

import "strings"

// stopper looks for stop strings in text that comes in pieces. It holds back what may be the beginning
// of one.
type stopper struct {
	stops   []string // none empty
	pending string
}

// next takes a piece of text and returns what can be shown of it and of what was held back. hit says
// that a stop string was found: the text ends before it, and nothing more may come.
func (s *stopper) next(piece string) (text string, hit bool) {
	if len(s.stops) == 0 {
		return piece, false
	}
	s.pending += piece
	// The one that is complete first, the longer of two that end together: however the text is cut.
	at, end := 0, len(s.pending)+1
	for _, stop := range s.stops {
		i := strings.Index(s.pending, stop)
		if j := i + len(stop); i >= 0 && (j < end || j == end && i < at) {
			at, end = i, j
		}
	}
	if end <= len(s.pending) {
		text, s.pending = s.pending[:at], ""
		return text, true
	}
	held := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.pending)); n > held; n-- {
			if strings.HasSuffix(s.pending, stop[:n]) {
				held = n
			}
		}
	}
	text, s.pending = s.pending[:len(s.pending)-held], s.pending[len(s.pending)-held:]
	return text, false
}

// rest is what was held back when the text has ended.
func (s *stopper) rest() string {
	text := s.pending
	s.pending = ""
	return text
}
