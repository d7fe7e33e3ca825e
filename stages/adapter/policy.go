package adapter

import (
	"fmt"

	"openrs/stages/model"
)

// The keys of the notes that go with a run's policy whose bytes are adapters and no whole model.
const (
	metaConfig = "adapter_config" // adapter_config.json
	metaBase   = "base_sha256"    // of the weights that they are put on
)

// Policy is what a run's stages must know of a policy that consists of adapters.
type Policy struct {
	LoRA model.LoRA
	Base string // digest of the weights that the adapters are put on
}

// Notes are what goes with such a policy.
func (c Config) Notes(baseDigest string) (map[string]string, error) {
	config, err := c.JSON()
	if err != nil {
		return nil, err
	}
	return map[string]string{metaConfig: string(config), metaBase: baseDigest}, nil
}

// FromNotes returns what goes with a policy whose tensors have the given names; nil for a policy that is a whole
// model.
func FromNotes(notes map[string]string, names []string) (*Policy, error) {
	text, ok := notes[metaConfig]
	if !ok {
		return nil, nil
	}
	c, err := ParseConfig([]byte(text))
	if err == nil {
		c.LoRA.Targets, err = targets(names)
	}
	if err != nil {
		return nil, fmt.Errorf("notes of the policy: %w", err)
	}
	return &Policy{LoRA: c.LoRA, Base: notes[metaBase]}, nil
}
