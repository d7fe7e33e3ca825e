// Command gen writes the tokenizer.json of the tiny model to the path given as its argument.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// words become one token each. The pre-tokenizer hands each of them to the merges as a piece of its
// own: letters with at most one other character before them.
var words = []string{"user", "assistant", `\boxed`}

// addedTokens get the ids after the vocabulary, in this order. Only special ones are dropped when a
// completion is decoded.
var addedTokens = []struct {
	content string
	special bool
}{{"<|endoftext|>", true}, {"<|im_start|>", true}, {"<|im_end|>", true}, {"<think>", false}, {"</think>", false}}

// splitPattern is Qwen2's: words, single digits, runs of punctuation, white space.
const splitPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen tokenizer.json")
		os.Exit(2)
	}
	text, err := generate()
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o666)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

type entry struct {
	token string
	id    int
}

// generate returns the file: vocabulary in order of id, so that it can be read by people.
func generate() ([]byte, error) {
	var vocab []entry
	next := rune(256)
	for b := range 256 {
		// The byte-level alphabet: printable Latin-1 stands for itself, the rest follows from U+0100 on.
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		vocab = append(vocab, entry{string(r), b})
	}
	merges := [][2]string{}
	for _, word := range words { // all ASCII and printable: spelt as they are
		for i := 1; i < len(word); i++ {
			merges = append(merges, [2]string{word[:i], word[i : i+1]})
			vocab = append(vocab, entry{word[:i+1], len(vocab)})
		}
	}
	added := []map[string]any{}
	for i, a := range addedTokens {
		added = append(added, map[string]any{"id": len(vocab) + i, "content": a.content, "special": a.special,
			"single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
	file := map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added,
		"normalizer": map[string]any{"type": "NFC"},
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Split", "pattern": map[string]any{"Regex": splitPattern}, "behavior": "Isolated", "invert": false},
			byteLevel,
		}},
		"post_processor": byteLevel, "decoder": byteLevel,
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": "", "end_of_word_suffix": "",
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": ordered(vocab), "merges": merges,
		},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(file)
	return out.Bytes(), err
}

// ordered is a JSON object that keeps its order.
type ordered []entry

// MarshalJSON writes the entries in order.
func (o ordered) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	for i, e := range o {
		sep := ','
		if i == 0 {
			sep = '{'
		}
		token, err := json.Marshal(e.token)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%c%s:%d", sep, token, e.id)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
