package stages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"openrs/stages/suggest"
)

// Action is what a command does once its flags and recipe are read.
type Action func(ctx context.Context, env *Env) error

// Command makes a command of a stage. name is its path ("update sft"), which is also its section in a
// recipe with a dash for the space ("update-sft"). Flags given before a subcommand reach it only if
// the subcommand has them too.
func Command(name, usage string, flags []cli.Flag, act Action) *cli.Command {
	words := strings.Fields(name)
	return &cli.Command{
		Name:   words[len(words)-1],
		Usage:  usage,
		Flags:  flags,
		Action: action(name, flags, act),
	}
}

// App makes a binary: its own action (nil when only its commands do something) and its commands.
func App(name, usage, description string, flags []cli.Flag, act Action, commands ...*cli.Command) *cli.App {
	app := &cli.App{
		Name:                 name,
		Usage:                usage,
		Description:          description,
		Flags:                flags,
		Commands:             commands,
		HideVersion:          true,
		EnableBashCompletion: true,
		Suggest:              true,
		// Errors are printed once, by Main.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError(flags),
	}
	if act != nil {
		app.Action = action(name, flags, act)
	} else {
		app.Action = func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c.Args().First(), commands)
			}
			return cli.ShowAppHelp(c)
		}
	}
	for _, c := range commands {
		c.OnUsageError = usageError(c.Flags)
	}
	return app
}

// usageError names a mistyped flag and the one that was probably meant.
func usageError(flags []cli.Flag) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		if name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); unknown {
			return fmt.Errorf("unknown flag --%s%s", strings.TrimPrefix(name, "-"), suggest.From(name, flagNames(flags)))
		}
		return err
	}
}

// unknownCommand names a mistyped command and the one that was probably meant.
func unknownCommand(word string, commands []*cli.Command) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	return fmt.Errorf("unknown command or argument %q%s", word, suggest.From(word, names))
}

// action wraps act: it refuses stray arguments, applies the recipe, and opens the environment.
func action(name string, flags []cli.Flag, act Action) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
		if c.Args().Present() {
			return unknownCommand(c.Args().First(), c.App.Commands)
		}
		config, err := resolve(c, name, flags)
		if err != nil {
			return err
		}
		env, err := newEnv(c, name, config)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, env.close()) }()
		return act(c.Context, env)
	}
}

// Main runs a binary: the context ends with the first interrupt or termination signal (a second one
// kills; see [Env.OnInterrupt]), an error is printed as one line on standard error, and the exit status is 0, 1, or 130
// after a signal.
func Main(app *cli.App) {
	life := &lifetime{grace: grace}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), lifetimeKey{}, life))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan int, 1)
	go func() { done <- run(ctx, app, os.Args, os.Stderr) }()
	for ctx.Err() == nil {
		select {
		case code := <-done:
			os.Exit(code)
		case s := <-signals:
			if s == os.Interrupt && life.interrupted() {
				continue
			}
			signal.Stop(signals)
			cancel()
		}
	}
	select {
	case code := <-done:
		os.Exit(code)
	case <-time.After(life.patience()):
		fmt.Fprintf(os.Stderr, "%s: stopped by a signal\n", app.Name)
		os.Exit(130)
	}
}

func run(ctx context.Context, app *cli.App, args []string, stderr io.Writer) int {
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "%s: stopped by a signal\n", app.Name)
		return 130
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	fmt.Fprintf(stderr, "%s: %s\n", app.Name, text)
	return 1
}
