// Package tokenizer turns text into token ids and back as Hugging Face's tokenizers library does for
// byte-level BPE models (GPT-2, Qwen, Llama 3, DeepSeek), and renders their chat templates.
//
// Start with [Load], which reads tokenizer.json and, where they exist, tokenizer_config.json and
// chat_template.jinja from a model folder. [Tokenizer.Encode] and [Tokenizer.Decode] are the two
// directions, [Decoder] decodes a stream of tokens without ever splitting a character, and
// [Tokenizer.ApplyChatTemplate] makes the prompt's text from messages.
//
// Encoding goes through four steps, a file each: added tokens such as <|im_end|> are cut out of the
// text (added.go), what lies between is normalised (normalize.go) and split into pieces (split.go,
// pattern.go), and each piece's bytes are merged pair by pair (bpe.go). tokenizer.json is a general
// language for such pipelines; file.go and model.go accept the part that these models use and refuse
// the rest by name, because a component that is skipped silently gives wrong ids. Templates are rendered
// by the package jinja inside this one.
//
// The ids are those of the library's release 0.22, also where it disagrees with Go about Unicode: its
// patterns know Unicode 16 (unicode.go), its normalisation Unicode 9 (normalize.go). Older releases may
// cut characters of the newest scripts in another way.
//
// A Tokenizer does not change after Load and may be used from several goroutines at once.
package tokenizer
