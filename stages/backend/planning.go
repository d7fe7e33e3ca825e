package backend

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"openrs/stages/device"
	"openrs/stages/roofline"
)

// PlanFlags choose the machine that a plan is made for.
func PlanFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "on", Value: "here", Usage: "`MACHINE` to plan for: here (--device, measured), a40, a100, l40s, rtx3090, rtx4090, h100 or h200 (by their data sheets)"},
		&cli.IntFlag{Name: "devices", Value: 1, Usage: "how many of them share the work"},
		&cli.Float64Flag{Name: "efficiency", Value: 0.6, Usage: "share of the machine's limits to expect"},
		&cli.BoolFlag{Name: "json", Usage: "one JSON object instead of tables"},
	}
}

// Job is the sampling of a step, or the training on it, that a plan is made for.
type Job struct {
	Groups, GroupSize       int
	PromptTokens, NewTokens int // of each prompt and each completion
}

// JobFlags are the sizes of a [Job]; they default to the study's.
func JobFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "groups-per-step", Value: 12, Usage: "prompts of a step, all devices together"},
		&cli.IntFlag{Name: "group-size", Value: 6, Usage: "completions of each"},
		&cli.IntFlag{Name: "prompt-tokens", Usage: "length of each prompt (0: 512, or a quarter of a shorter context)"},
		&cli.IntFlag{Name: "new-tokens", Usage: "length of each completion (0: 3,584, or what the context leaves)"},
	}
}

// JobFromFlags returns the job that the flags describe for a model with a context of so many tokens.
func JobFromFlags(c *cli.Context, context int) (Job, error) {
	j := Job{Groups: c.Int("groups-per-step"), GroupSize: c.Int("group-size"), PromptTokens: c.Int("prompt-tokens"), NewTokens: c.Int("new-tokens")}
	return j.fit(context)
}

// fit fills in lengths that were not given and checks the sizes.
func (j Job) fit(context int) (Job, error) {
	if j.PromptTokens == 0 {
		j.PromptTokens = min(512, context/4)
	}
	if j.NewTokens == 0 {
		j.NewTokens = min(3584, context-j.PromptTokens)
	}
	switch {
	case j.Groups < 1 || j.GroupSize < 1 || j.PromptTokens < 1 || j.NewTokens < 1:
		return j, errors.New("--groups-per-step, --group-size, --prompt-tokens and --new-tokens: expected at least 1 of each")
	case j.PromptTokens+j.NewTokens > context:
		return j, fmt.Errorf("--prompt-tokens and --new-tokens: %d tokens do not fit into the model's context of %d", j.PromptTokens+j.NewTokens, context)
	}
	return j, nil
}

// Completions is how many there are in all.
func (j Job) Completions() int { return j.Groups * j.GroupSize }

// NewPlan returns a plan for the machine that the flags name, without memory and work.
func NewPlan(c *cli.Context) (*roofline.Plan, device.DType, error) {
	p := &roofline.Plan{Devices: c.Int("devices"), Efficiency: c.Float64("efficiency")}
	if p.Devices < 1 {
		return nil, 0, fmt.Errorf("--devices is %d, expected at least 1", p.Devices)
	}
	if !(p.Efficiency > 0 && p.Efficiency <= 1) {
		return nil, 0, fmt.Errorf("--efficiency is %v, expected a share above 0 and up to 1", p.Efficiency)
	}
	dtype, err := DType(c)
	if err != nil {
		return nil, 0, err
	}
	if name := c.String("on"); name != "here" {
		if p.Machine, err = roofline.MachineByName(name); err != nil {
			return nil, 0, fmt.Errorf("--on: %w", err)
		}
		return p, dtype, nil
	}
	dev, err := Open(c)
	if err != nil {
		return nil, 0, err
	}
	defer dev.Close()
	if p.Machine, err = roofline.Here(dev); err != nil {
		return nil, 0, err
	}
	return p, dtype, nil
}

// WritePlan writes a finished plan as the flags say. A plan that does not fit is an error, after it is written.
func WritePlan(c *cli.Context, p *roofline.Plan, advice string) error {
	write := p.WriteText
	if c.Bool("json") {
		write = p.WriteJSON
	}
	if err := write(c.App.Writer); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if !p.Fits {
		return fmt.Errorf("this needs %s of memory on each device and %s has %s: %s", size(p.Memory.Total()), p.Machine.Name, size(p.Machine.Bytes), advice)
	}
	return nil
}
