package pretrained

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"openrs/stages/adapter"
	"openrs/stages/model"
)

// Flags name the model, as [Open] understands it; [FromFlags] opens it.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`MODEL`: a Hugging Face folder, tiny, shape:NAME (random weights), or a folder of adapters that names its base"},
		&cli.StringFlag{Name: "adapter", Usage: "`FOLDER` of LoRA adapters, as PEFT has them, to put on the model"},
		&cli.Int64Flag{Name: "seed", Value: 1, Usage: "of what is random in a command, and of a shape's weights"},
	}
}

// FromFlags opens the model that the flags name, with its adapters.
func FromFlags(c *cli.Context) (*Model, error) {
	m, err := Open(c.String("model"), uint64(c.Int64("seed")))
	if err != nil {
		return nil, err
	}
	if dir := c.String("adapter"); dir != "" {
		if err := m.Attach(dir); err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

// Trained are the adapters that a command with the flags of [adapter.Flags] trains on the model: the model's own, which
// go on being trained, or those that the flags describe; nil if all weights are to be trained.
func (p *Model) Trained(c *cli.Context) (*model.LoRA, error) {
	if p.Adapter == nil {
		return adapter.FromFlags(c)
	}
	for _, name := range []string{"lora-rank", "lora-alpha", "lora-targets"} {
		if c.IsSet(name) {
			return nil, fmt.Errorf("--%s: the model has adapters, %s, which go on being trained as they are: merge them first (update export) to train others", name, p.Adapter.Name)
		}
	}
	l := p.LoRA()
	if c.IsSet("lora-dropout") {
		l.Dropout = c.Float64("lora-dropout")
	}
	_, err := l.Validate()
	return l, err
}
