package tokenizer

// Byte-level BPE spells each byte as one printable character, so that a vocabulary file has no
// spaces or control characters: printable Latin-1 bytes stand for themselves, the other 68 get the
// characters from U+0100 on, in order (GPT-2's encoder).
var byteToRune, runeToByte = alphabet()

func alphabet() (to [256]rune, from map[rune]byte) {
	from = make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		to[b] = r
		from[r] = byte(b)
	}
	return to, from
}

// unspell returns the bytes of a spelling, false where a character is not of the alphabet.
func unspell(token string) (string, bool) {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := runeToByte[r]
		if !ok {
			return "", false
		}
		out = append(out, b)
	}
	return string(out), true
}
