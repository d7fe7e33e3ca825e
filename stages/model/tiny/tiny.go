// Package tiny holds the small model that ships inside the binaries under the name "tiny": a Qwen2
// with 2 layers and 332,928 parameters for the built-in arithmetic task, as a Hugging Face model
// folder in assets/.
//
// Its vocabulary is the 256 bytes (a byte's id is its value), the few merges that make user,
// assistant and \boxed one token each, and five added tokens; the rows from 277 on are unused. Any
// text can be given to it. <think> and </think> are not special, so they survive decoding and a
// reward can look at the form of an answer.
//
// tokenizer.json is made by the program in gen/; the other JSON files are written by hand. The
// weights are the result of supervised training on worked and on hurried solutions.
package tiny

import (
	"embed"
	"io/fs"
)

//go:generate go run ./gen assets/tokenizer.json

//go:embed assets
var assets embed.FS

// FS is the model folder: config.json, the tokenizer's files, generation_config.json and
// model.safetensors. It is what [openrs/stages/checkpoint.OpenFS] and
// [openrs/stages/tokenizer.Load] take.
func FS() fs.FS {
	sub, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the name is a constant that is valid
	}
	return sub
}
