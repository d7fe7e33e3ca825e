package stages

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// NestedFlag is a flag whose value is YAML of any depth: in a recipe it is written as such under the
// flag's name, on the command line as one text. [Env.Nested] reads it.
type NestedFlag struct{ *cli.StringFlag }

func nestedNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		if f, ok := f.(NestedFlag); ok {
			names = append(names, f.Names()[0])
		}
	}
	return names
}

// nestedText is a node on one line, as settings are logged and kept with a run.
func nestedText(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	text, err := yaml.Marshal(flow(n))
	if err != nil {
		return fmt.Sprintf("(%v)", err) // for people only; Nested reads the recipe itself
	}
	return strings.TrimSpace(string(text))
}

// flow is a copy of a node without comments, to be written in braces.
func flow(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Anchor: n.Anchor, Alias: n.Alias, Style: yaml.FlowStyle}
	if n.Kind == yaml.ScalarNode {
		c.Style = n.Style &^ (yaml.LiteralStyle | yaml.FoldedStyle)
	}
	for _, inner := range n.Content {
		c.Content = append(c.Content, flow(inner))
	}
	return c
}

// Nested returns the value of a [NestedFlag], nil when it is not set, and the name of the file that its
// line numbers belong to.
func (e *Env) Nested(name string) (node *yaml.Node, file string, err error) {
	for _, s := range e.Settings {
		switch {
		case s.Name != name || s.Value == "" && s.Origin == "default":
		case s.Origin == "recipe":
			file = e.String("config")
			node, err = nestedInRecipe(file, e.slug(), name)
			return node, file, err
		default:
			node, err = parseNested(s.Value)
			return node, "--" + name, err
		}
	}
	return nil, "", nil
}

// nestedInRecipe finds a key that readRecipe has found before.
func nestedInRecipe(path, section, key string) (*yaml.Node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	defer f.Close()
	var root yaml.Node
	if err := yaml.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&root); err != nil {
		return nil, fmt.Errorf("recipe %s: %w", path, err)
	}
	var found *yaml.Node
	err = eachKey(root.Content[0], func(name string, _ int, body *yaml.Node) error {
		if name != section {
			return nil
		}
		return eachKey(body, func(k string, _ int, value *yaml.Node) error {
			if k == key {
				found = value
			}
			return nil
		})
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%s.%s has gone", section, key)
	}
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", path, err)
	}
	return found, nil
}

func parseNested(text string) (*yaml.Node, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected one YAML document, found more")
	}
	return root.Content[0], nil
}
