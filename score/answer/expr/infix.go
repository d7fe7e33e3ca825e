package expr

// maxInfix is how many infix commands of an answer are read.
const maxInfix = 16

// infix writes the commands that stand between their arguments, {a \over b} and {n \choose k}, as the ones
// that stand before them. Their arguments reach to the ends of the group they are in.
func infix(tokens []token, b *budget) []token {
	for range maxInfix {
		at := -1
		for i, t := range tokens {
			if t.command("over") || t.command("choose") {
				at = i
				break
			}
		}
		if at < 0 {
			return tokens
		}
		b.spend(len(tokens))
		from, to := groupAround(tokens, at)
		name := map[string]string{"over": "frac", "choose": "binom"}[tokens[at].text]
		open, shut := token{kind: tokPunct, text: "{"}, token{kind: tokPunct, text: "}"}
		out := make([]token, 0, len(tokens)+4)
		out = append(out, tokens[:from]...)
		out = append(out, token{kind: tokCommand, text: name, space: tokens[from].space}, open)
		out = append(out, tokens[from:at]...)
		out = append(out, shut, open)
		out = append(out, tokens[at+1:to]...)
		out = append(out, shut)
		tokens = append(out, tokens[to:]...)
	}
	return tokens
}

// groupAround returns where the inside of the braces around a token starts and ends.
func groupAround(tokens []token, at int) (from, to int) {
	depth := 0
	for from = at; from > 0; from-- {
		if t := tokens[from-1]; t.is("}") {
			depth++
		} else if t.is("{") {
			if depth--; depth < 0 {
				break
			}
		}
	}
	depth = 0
	for to = at + 1; to < len(tokens); to++ {
		if t := tokens[to]; t.is("{") {
			depth++
		} else if t.is("}") {
			if depth--; depth < 0 {
				break
			}
		}
	}
	return from, to
}
