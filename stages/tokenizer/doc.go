// Package tokenizer turns text into token ids and back as Hugging Face's tokenizers library does for
// byte-level BPE models (GPT-2, Qwen, Llama 3, DeepSeek), and renders their chat templates.
//
// Start with [Load], which reads tokenizer.json and, where they exist, tokenizer_config.json and
// chat_template.jinja from a model folder. [Tokenizer.Encode] and [Tokenizer.Decode] are the two
// directions, [Decoder] decodes a stream of tokens without ever splitting a character, and
// [Tokenizer.ApplyChatTemplate] makes the prompt's text from messages.
//
// Encoding goes through four steps, a file each: added tokens such as <|im_end|> are cut out of the
// text (added.go), what lies between is normalised and split into pieces (split.go, pattern.go), and
// each piece's bytes are merged pair by pair (bpe.go). tokenizer.json is a general language for such
// pipelines; file.go accepts the part that these models use and refuses the rest by name, because
// a component that is skipped silently gives wrong ids.
//
// A Tokenizer does not change after Load and may be used from several goroutines at once.
package tokenizer
