package main

import (
	"context"
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/stages"
	"openrs/stages/checkpoint"
	"openrs/stages/device/cpu"
	"openrs/stages/pretrained"
)

func exportFlags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), pretrained.Flags(), []cli.Flag{
		&cli.StringFlag{Name: "out-dir", Usage: "`FOLDER` to write the model to"},
		&cli.StringFlag{Name: "save-dtype", Usage: "f32, bf16 or f16: type of the written model (default: as it came; bf16 for a shape)"},
	})
}

// export writes a model as a Hugging Face folder: with its adapters built in, in another type, or the random
// weights of a shape.
func export(_ context.Context, env *stages.Env) error {
	dir := env.String("out-dir")
	if dir == "" {
		return errors.New("expected --out-dir FOLDER for the model")
	}
	dtype, err := saveDType(env)
	if err != nil {
		return err
	}
	source, err := pretrained.FromFlags(env.Context)
	if err != nil {
		return err
	}
	defer source.Close()
	dev, err := cpu.New(cpu.Options{}) // sums of float32, the same on every device but for rounding
	if err != nil {
		return err
	}
	defer dev.Close()
	tensors, err := source.Merged(dev)
	if err != nil {
		return err
	}
	if err := checkpoint.Save(dir, source.Config, tensors, checkpoint.SaveOptions{DType: dtype, Files: source.Companions}); err != nil {
		return err
	}
	env.Log.Info("model written", "folder", dir, "tensors", len(tensors))
	return nil
}
