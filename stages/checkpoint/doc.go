// Package checkpoint reads and writes model folders as Hugging Face lays them out: config.json,
// generation_config.json and the weights in safetensors files, whole (model.safetensors) or in
// shards (model.safetensors.index.json).
//
// Start with [OpenDir] (maps the files of a folder into memory) or [OpenFS] (reads them from any
// [io/fs.FS], such as an embedded one), which return a [Folder]: the parsed [Config], the names of
// the tensors, and each [Tensor] by name. [Save] writes a folder so that a reader never sees half of
// one. [OpenTensors], [ParseTensors] and [WriteTensors] are the safetensors format alone, for weights
// that travel as one blob; stages/atomicfile is the safe way to write a file with them.
//
// What a configuration means is decided here, once: defaults are those of the transformers library,
// and whatever the model code does not implement (other architectures, other ways to scale rotary
// embeddings than linear, llama3 and yarn, sliding windows, quantised weights) is refused by name rather than ignored. What the tensors of an
// architecture are called, and which shapes they must have, is the business of stages/model;
// tokenizer files are that of stages/tokenizer, and are only carried along here.
package checkpoint
