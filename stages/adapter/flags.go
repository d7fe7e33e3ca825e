package adapter

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"openrs/stages/model"
)

// Flags choose adapters to train instead of all weights.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "lora-rank", Usage: "train adapters of this rank on every projection, and leave the model's weights as they are (0: train all weights)"},
		&cli.Float64Flag{Name: "lora-alpha", Usage: "adapters count alpha/rank times (0: twice the rank)"},
		&cli.Float64Flag{Name: "lora-dropout", Usage: "share of an adapter's inputs to drop in training"},
		&cli.StringSliceFlag{Name: "lora-targets", Usage: "`PROJECTION` to adapt, of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; may be repeated (default: all)"},
	}
}

// FromFlags returns what the flags say, or nil if all weights are to be trained.
func FromFlags(c *cli.Context) (*model.LoRA, error) {
	l := model.LoRA{Rank: c.Int("lora-rank"), Alpha: c.Float64("lora-alpha"), Dropout: c.Float64("lora-dropout"), Targets: c.StringSlice("lora-targets")}
	if l.Rank == 0 {
		for _, name := range []string{"lora-alpha", "lora-dropout", "lora-targets"} {
			if c.IsSet(name) {
				return nil, fmt.Errorf("--%s: expected --lora-rank too, without which all weights are trained", name)
			}
		}
		return nil, nil
	}
	if l.Alpha == 0 {
		l.Alpha = 2 * float64(l.Rank)
	}
	l, err := l.Validate()
	if err != nil {
		return nil, err
	}
	return &l, nil
}
