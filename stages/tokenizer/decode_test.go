package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// byteIDs are the fixture's ids of bytes: the bytes themselves, so that a test can decode any bytes.
func byteIDs(raw string) []int32 {
	ids := make([]int32, len(raw))
	for i := range len(raw) {
		ids[i] = int32(raw[i])
	}
	return ids
}

func TestDecode(t *testing.T) {
	tok := mustLoad(t, fixture(t), "")
	const r = "\ufffd"
	for _, c := range []struct{ raw, want string }{
		{"", ""}, {"abc", "abc"}, {"é中👍", "é中👍"}, {"\ufffd", r},
		{"\xff", r}, {"\xff\xff", r + r}, {"\x80", r}, {"a\xc3", "a" + r}, {"\xc3a", r + "a"},
		{"\xe4\xb8", r}, {"\xe4\xb8\xe4\xb8\xad", r + "中"}, {"\xe4\xb8x", r + "x"}, {"\xf0\x9f\x91", r}, {"\xf0\x9f\x91\xff", r + r},
		{"\xf0\x9fA", r + "A"}, {"\xc0\x80", r + r}, {"\xed\xa0\x80", r + r + r}, {"\xf4\x90\x80\x80", r + r + r + r}, {"\xe0\x80\x80", r + r + r},
	} {
		if got := tok.Decode(byteIDs(c.raw), false); got != c.want {
			t.Errorf("%q: expected %q, found %q", c.raw, c.want, got)
		}
	}
	ids := tok.Encode("<s>a<think>hello</s>")
	if got := tok.Decode(ids, true); got != "a<think>hello" {
		t.Errorf("without special tokens: found %q", got)
	}
	if got := tok.Decode(append(ids, -1, 1<<20), false); got != "<s>a<think>hello</s>" {
		t.Errorf("with strange ids: found %q", got)
	}
}

// What a decoder returns piece by piece is what Decode returns at once, and every part is valid.
func TestDecoderAgainstDecode(t *testing.T) {
	tok := mustLoad(t, fixture(t), "")
	r := rand.New(rand.NewPCG(5, 6))
	d := tok.NewDecoder(true)
	for range 3000 {
		var ids []int32
		for range r.IntN(20) {
			switch r.IntN(3) {
			case 0:
				ids = append(ids, byteIDs(string([]rune{rune(r.IntN(0x20000))}))...)
			case 1:
				ids = append(ids, int32(0x80+r.IntN(0x80)))
			default:
				ids = append(ids, int32(r.IntN(tok.VocabSize()+2)))
			}
		}
		var out strings.Builder
		for _, id := range ids {
			out.WriteString(d.Next(id))
		}
		out.WriteString(d.Flush())
		if want := tok.Decode(ids, true); out.String() != want {
			t.Fatalf("%v: expected %q, found %q", ids, want, out.String())
		}
	}
	if got := d.Next(0xf0) + d.Next(0x9f) + d.Next(0x91); got != "" {
		t.Errorf("expected nothing before the character is complete, found %q", got)
	}
	if got := d.Next(0x8d); got != "👍" {
		t.Errorf("expected the character, found %q", got)
	}
}

// The library's own way to replace broken bytes is different (one mark for a whole run of them), so
// the rule is checked against its definition: at each broken place, the longest beginning of a character.
func FuzzDecode(f *testing.F) {
	tok := mustLoad(f, fixture(f), "")
	f.Add("a\xe4\xb8\xf0\x9f\x91\xff\xc3\xa9")
	f.Fuzz(func(t *testing.T, raw string) {
		got := tok.Decode(byteIDs(raw), false)
		if want := replacePlain(raw); got != want {
			t.Fatalf("%q: expected %q, found %q", raw, want, got)
		}
		d := tok.NewDecoder(false)
		var stream strings.Builder
		for _, id := range byteIDs(raw) {
			part := d.Next(id)
			if !utf8.ValidString(part) {
				t.Fatalf("%q: the part %q is broken", raw, part)
			}
			stream.WriteString(part)
		}
		if stream.WriteString(d.Flush()); stream.String() != got {
			t.Fatalf("%q: expected %q, found %q in parts", raw, got, stream.String())
		}
	})
}

// replacePlain tries every length against a table of what a character may begin with.
func replacePlain(raw string) string {
	var out strings.Builder
	for raw != "" {
		n, whole := 0, false
		for try := 1; try <= min(4, len(raw)) && !whole; try++ {
			if begins, full := wellFormed(raw[:try]); begins {
				n, whole = try, full
			}
		}
		if whole {
			out.WriteString(raw[:n])
		} else {
			out.WriteString("\ufffd")
			n = max(n, 1)
		}
		raw = raw[n:]
	}
	return out.String()
}

// wellFormed follows table 3-7 of the Unicode standard: which bytes a character may have in each place.
func wellFormed(raw string) (begins, full bool) {
	lo, hi, length := byte(0x80), byte(0xbf), 0
	switch b := raw[0]; {
	case b < 0x80:
		length = 1
	case b >= 0xc2 && b <= 0xdf:
		length = 2
	case b >= 0xe0 && b <= 0xef:
		length = 3
	case b >= 0xf0 && b <= 0xf4:
		length = 4
	default:
		return false, false
	}
	switch raw[0] {
	case 0xe0:
		lo = 0xa0
	case 0xed:
		hi = 0x9f
	case 0xf0:
		lo = 0x90
	case 0xf4:
		hi = 0x8f
	}
	if len(raw) > length {
		return false, false
	}
	for i := 1; i < len(raw); i++ {
		if raw[i] < lo || raw[i] > hi {
			return false, false
		}
		lo, hi = 0x80, 0xbf
	}
	return true, len(raw) == length
}
