package pretrained

import "github.com/urfave/cli/v2"

// Flags name the model, as [Open] understands it; [FromFlags] opens it.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`MODEL`: a Hugging Face folder, tiny, or shape:NAME (random weights)"},
		&cli.Int64Flag{Name: "seed", Value: 1, Usage: "of what is random in a command, and of a shape's weights"},
	}
}

// FromFlags opens the model that the flags name.
func FromFlags(c *cli.Context) (*Model, error) {
	return Open(c.String("model"), uint64(c.Int64("seed")))
}
