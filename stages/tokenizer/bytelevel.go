package tokenizer

// Byte-level BPE spells each byte as one printable character, so that a vocabulary file has no
// spaces or control characters: printable Latin-1 bytes stand for themselves, the other 68 get the
// characters from U+0100 on, in order (GPT-2's encoder).
var byteToRune, runeToByte = alphabet()

// alphabetEnd is one more than the last character of the alphabet.
const alphabetEnd = 0x100 + 68

// alphabet returns both directions; −1 is a character that spells no byte.
func alphabet() (to [256]rune, from [alphabetEnd]int16) {
	for i := range from {
		from[i] = -1
	}
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		to[b] = r
		from[r] = int16(b)
	}
	return to, from
}

// unspell appends the bytes of a spelling, and returns false where a character is not of the alphabet.
func unspell(dst []byte, token string) ([]byte, bool) {
	for _, r := range token {
		if r >= alphabetEnd || runeToByte[r] < 0 {
			return dst, false
		}
		dst = append(dst, byte(runeToByte[r]))
	}
	return dst, true
}
