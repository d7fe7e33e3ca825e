package stages

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"openrs/stages/suggest"
)

// A recipe is a YAML file with one section for each command that takes part in a run, and one,
// `common`, for what they share:
//
//	common:
//	  run: r1
//	  groups-per-step: 32
//	generate:
//	  temperature: 1.0
//	update:
//	  lr: 1e-4
//
// Keys are flag names; a list sets a flag several times. Flags on the command line win. A key in a
// section that the command does not have, and a key in `common` that no command shares, is an error.
// A key whose flag is a [NestedFlag] holds what the command likes; the command reads it by [Env.Nested].

// sections are the commands a recipe may configure: all of them.
var sections = []string{
	"common", "curate", "curate-steps", "curate-synth", "generate", "generate-bench", "generate-devices", "generate-logprobs", "generate-plan", "generate-serve", "generate-chat", "score", "score-verify",
	"update", "update-bench", "update-export", "update-plan", "update-recipe", "update-sft", "evaluate-compare", "evaluate-problems", "evaluate-prompts", "evaluate-report", "evaluate-run", "evaluate-watch",
}

// sharedKeys are the flags that `common` may set; a command takes those that it has.
var sharedKeys = []string{
	"run", "runs-dir", "policy-store", "nats", "nats-creds", "nats-nkey", "nats-tls-ca", "nats-tls-cert", "nats-tls-key",
	"log-format", "log-level", "device", "threads", "dtype", "model", "seed", "steps", "groups-per-step", "group-size", "max-lag", "ack-wait", "resume",
}

// Setting is the value of one flag and where it came from: "flag", "env", "recipe" or "default".
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// resolve applies the recipe named by --config to the flags that were not given, and returns every
// setting with its origin.
func resolve(c *cli.Context, command string, flags []cli.Flag) ([]Setting, error) {
	fromRecipe := map[string]bool{}
	if path := c.String("config"); path != "" {
		values, err := readRecipe(path, strings.ReplaceAll(command, " ", "-"), flags)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if c.IsSet(name) {
				continue
			}
			for _, v := range values[name] {
				if err := c.Set(name, v); err != nil {
					return nil, fmt.Errorf("recipe %s: %s: %q: %w", path, name, v, err)
				}
			}
			fromRecipe[name] = true
		}
	}
	var settings []Setting
	for _, f := range flags {
		name := f.Names()[0]
		s := Setting{Name: name, Value: fmt.Sprint(c.Value(name)), Origin: "default"}
		switch {
		case fromRecipe[name]:
			s.Origin = "recipe"
		case c.IsSet(name):
			s.Origin = "flag"
			if d, ok := f.(cli.DocGenerationFlag); ok && slices.ContainsFunc(d.GetEnvVars(), func(v string) bool { return os.Getenv(v) == s.Value }) {
				s.Origin = "env"
			}
		}
		if v, ok := c.Value(name).(cli.StringSlice); ok {
			s.Value = strings.Join(v.Value(), ",")
		}
		settings = append(settings, s)
	}
	return settings, nil
}

func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	return names
}

// readRecipe returns the values that the recipe at path sets for a command with these flags.
func readRecipe(path, section string, flags []cli.Flag) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	defer f.Close()
	values, err := parseRecipe(io.LimitReader(f, 1<<20), section, flagNames(flags), nestedNames(flags)...)
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", path, err)
	}
	return values, nil
}

// parseRecipe is readRecipe on a stream. The value of a flag that is in nested is one text of YAML. Errors
// name the line.
func parseRecipe(r io.Reader, section string, flags []string, nested ...string) (map[string][]string, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(r)
	if err := dec.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected one YAML document, found more")
	}
	values := map[string][]string{}
	err := eachKey(root.Content[0], func(name string, line int, body *yaml.Node) error {
		if !slices.Contains(sections, name) {
			return fmt.Errorf("line %d: unknown section %q%s", line, name, suggest.From(name, sections))
		}
		if name != "common" && name != section {
			return nil
		}
		return eachKey(body, func(key string, line int, value *yaml.Node) error {
			known := flags
			if name == "common" {
				known = sharedKeys
			}
			if !slices.Contains(known, key) || key == "config" {
				return fmt.Errorf("line %d: unknown key %q in section %s%s", line, key, name, suggest.From(key, known))
			}
			if !slices.Contains(flags, key) || name == "common" && slices.Contains(nested, key) {
				return nil // shared, but not by this command (curate's steps are not those of training)
			}
			if _, set := values[key]; set && name == "common" {
				return nil // the command's own section wins
			}
			list, err := scalars(value)
			if slices.Contains(nested, key) {
				list, err = []string{nestedText(value)}, nil
			}
			if err != nil {
				return fmt.Errorf("line %d: %s: %w", line, key, err)
			}
			values[key] = list
			return nil
		})
	})
	return values, err
}

// eachKey calls f for each key of a mapping, in order; an empty node has none. The same key twice is
// an error.
func eachKey(n *yaml.Node, f func(key string, line int, value *yaml.Node) error) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected keys and values", n.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if seen[k.Value] {
			return fmt.Errorf("line %d: %q is set twice", k.Line, k.Value)
		}
		seen[k.Value] = true
		if err := f(k.Value, k.Line, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// scalars returns a scalar, or the scalars of a list, as they would be written on the command line.
func scalars(n *yaml.Node) ([]string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return []string{n.Value}, nil
	case n.Kind == yaml.SequenceNode:
		var list []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return nil, errors.New("expected a list of plain values")
			}
			list = append(list, item.Value)
		}
		return list, nil
	}
	return nil, errors.New("expected a value or a list of values")
}
