package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// Generation is what generation_config.json suggests for sampling; nil where it is silent.
type Generation struct {
	// EOS are the tokens that end a completion.
	EOS []int32
	// Temperature, TopP and MinP are the sampling parameters of the model's authors; TopK counts tokens.
	Temperature, TopP, MinP *float64
	TopK                    *int
}

// ReadGeneration reads generation_config.json from a model folder; without one it returns an empty
// value.
func ReadGeneration(fsys fs.FS) (Generation, error) {
	data, err := fs.ReadFile(fsys, GenerationFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Generation{}, nil
	}
	if err != nil {
		return Generation{}, fmt.Errorf("read generation configuration: %w", err)
	}
	g, err := ParseGeneration(data)
	if err != nil {
		return Generation{}, fmt.Errorf("%s: %w", GenerationFile, err)
	}
	return g, nil
}

// ParseGeneration parses a generation_config.json. Errors wrap [ErrFormat].
func ParseGeneration(data []byte) (Generation, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return Generation{}, fmt.Errorf("%w: expected a JSON object: %w", ErrFormat, err)
	}
	o := object{m: raw}
	g := Generation{EOS: o.ids("eos_token_id")}
	optional := func(key string) *float64 {
		if !o.has(key) {
			return nil
		}
		v := o.float(key, 0)
		if v < 0 {
			o.want(key, "a number that is not negative", raw[key])
		}
		return &v
	}
	g.Temperature, g.TopP, g.MinP = optional("temperature"), optional("top_p"), optional("min_p")
	if o.has("top_k") {
		k, ok := integer(raw["top_k"])
		if !ok || k < 0 || k > maxSize {
			o.want("top_k", "a count", raw["top_k"])
		}
		n := int(k)
		g.TopK = &n
	}
	if o.err != nil {
		return Generation{}, o.err
	}
	return g, nil
}
