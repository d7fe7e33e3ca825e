package stages

import (
	"context"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func TestLifetime(t *testing.T) {
	life := &lifetime{grace: grace}
	ctx := context.WithValue(t.Context(), lifetimeKey{}, life)
	env := &Env{Context: cli.NewContext(cli.NewApp(), nil, &cli.Context{Context: ctx})}
	if life.interrupted() || life.patience() != grace {
		t.Error("an interrupt has been dealt with by nobody")
	}
	env.SetGrace(time.Minute)
	dealt := true
	env.OnInterrupt(func() bool { return dealt })
	if !life.interrupted() || life.patience() != time.Minute {
		t.Error("the command's wishes have not arrived")
	}
	if dealt = false; life.interrupted() {
		t.Error("an interrupt that the command left alone was kept from it")
	}
	// Outside Main there is nobody to tell.
	alone := &Env{Context: cli.NewContext(cli.NewApp(), nil, &cli.Context{Context: t.Context()})}
	alone.SetGrace(time.Minute)
	alone.OnInterrupt(func() bool { return true })
}
