package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// scanner reads the large parts of tokenizer.json, a vocabulary and its merges, where they lie:
// encoding/json takes several times as long, since it makes a value of everything first. All else in
// the file goes through encoding/json. Errors wrap [ErrFormat].
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) fail(expected string) error {
	found := "the end"
	if s.at < len(s.data) {
		found = fmt.Sprintf("%q", s.data[s.at:min(len(s.data), s.at+20)])
	}
	return fmt.Errorf("%w: at byte %d: expected %s, found %s", ErrFormat, s.at, expected, found)
}

// skip passes white space and returns the byte behind it, 0 at the end.
func (s *scanner) skip() byte {
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

// take passes one byte, which must be next.
func (s *scanner) take(c byte) error {
	if s.skip() != c {
		return s.fail(strconv.QuoteRune(rune(c)))
	}
	s.at++
	return nil
}

// text reads a string. What it returns is valid until the data change.
func (s *scanner) text() ([]byte, error) {
	if err := s.take('"'); err != nil {
		return nil, err
	}
	start, plain := s.at, true
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			raw := s.data[start:s.at]
			s.at++
			if plain && utf8.Valid(raw) {
				return raw, nil
			}
			var text string
			if err := json.Unmarshal(s.data[start-1:s.at], &text); err != nil {
				return nil, fmt.Errorf("%w: at byte %d: %w", ErrFormat, start, err)
			}
			return []byte(text), nil
		case c == '\\':
			plain = false
			s.at++
		case c < ' ':
			return nil, s.fail("a character of a string")
		}
	}
	return nil, s.fail("the end of a string")
}

// integer reads a whole number.
func (s *scanner) integer() (int64, error) {
	s.skip()
	start := s.at
	for s.at < len(s.data) && (s.data[s.at] == '-' || s.data[s.at]-'0' < 10) {
		s.at++
	}
	n, err := strconv.ParseInt(string(s.data[start:s.at]), 10, 64)
	if err != nil {
		s.at = start
		return 0, s.fail("a whole number")
	}
	return n, nil
}

// each calls item at the beginning of each element between brackets.
func (s *scanner) each(open, end byte, item func(i int) error) error {
	if err := s.take(open); err != nil {
		return err
	}
	if s.skip() == end {
		s.at++
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err
		}
		switch s.skip() {
		case ',':
			s.at++
		case end:
			s.at++
			return nil
		default:
			return s.fail(fmt.Sprintf("',' or %q", end))
		}
	}
}

// key reads an object's key and the colon behind it.
func (s *scanner) key() (string, error) {
	key, err := s.text()
	if err != nil {
		return "", err
	}
	name := string(key)
	return name, s.take(':')
}

// pass passes any value and returns its bytes. Its brackets must match; the rest is for who reads it.
func (s *scanner) pass() ([]byte, error) {
	c := s.skip()
	start := s.at
	switch c {
	case '"':
		_, err := s.text()
		return s.data[start:s.at], err
	case '{', '[':
	default:
		for s.at < len(s.data) && bytes.IndexByte([]byte(",]} \n\t\r"), s.data[s.at]) < 0 {
			s.at++
		}
		if s.at == start {
			return nil, s.fail("a value")
		}
		return s.data[start:s.at], nil
	}
	var open []byte
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case '"':
			if end := plainString(s.data[s.at:]); end > 0 {
				s.at += end - 1
				continue
			}
			if _, err := s.text(); err != nil {
				return nil, err
			}
			s.at--
		case '{', '[':
			open = append(open, c+2) // the closing bracket of either
			if len(open) > 1000 {
				return nil, s.fail("fewer brackets in one another")
			}
		case '}', ']':
			if open[len(open)-1] != c {
				return nil, s.fail(strconv.QuoteRune(rune(open[len(open)-1])))
			}
			if open = open[:len(open)-1]; len(open) == 0 {
				s.at++
				return s.data[start:s.at], nil
			}
		}
	}
	return nil, s.fail("a closing bracket")
}

// plainString is the length of a string without escapes, with its quotes, or 0.
func plainString(data []byte) int {
	end := bytes.IndexByte(data[1:], '"') + 2
	if end < 2 || bytes.IndexByte(data[:end], '\\') >= 0 {
		return 0
	}
	return end
}

// without returns an object with some of its values replaced by null, and these values.
func without(data []byte, names ...string) (rest []byte, taken map[string][]byte, err error) {
	s := scanner{data: data}
	taken = map[string][]byte{}
	copied := 0
	err = s.each('{', '}', func(int) error {
		name, err := s.key()
		if err != nil {
			return err
		}
		s.skip()
		start := s.at
		value, err := s.pass()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, n := range names {
			if n != name {
				continue
			}
			if taken[name] != nil {
				return fmt.Errorf("%w: %s: appears twice", ErrFormat, name)
			}
			taken[name] = value
			rest = append(append(rest, data[copied:start]...), "null"...)
			copied = s.at
		}
		return nil
	})
	if err == nil && s.skip() != 0 {
		err = s.fail("nothing behind the object")
	}
	return append(rest, data[copied:]...), taken, err
}
