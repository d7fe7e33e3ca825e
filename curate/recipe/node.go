package recipe

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// entry is one key of a mapping.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// kindName says what a node is, for errors.
func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case isNull(n):
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

func isNull(n *yaml.Node) bool { return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// mapping returns the keys of a mapping in order. Nothing at all is an empty one; the same key twice is
// an error.
func mapping(n *yaml.Node) ([]entry, error) {
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: expected keys and values, found %s", n.Line, kindName(n))
	}
	var all []entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: expected a name, found %s", k.Line, kindName(k))
		}
		if seen[k.Value] {
			return nil, fmt.Errorf("line %d: %q is set twice", k.Line, k.Value)
		}
		seen[k.Value] = true
		all = append(all, entry{k.Value, k.Line, n.Content[i+1]})
	}
	return all, nil
}

// sequence returns the elements of a list; nothing at all is an empty one.
func sequence(n *yaml.Node) ([]*yaml.Node, error) {
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: expected a list, found %s", n.Line, kindName(n))
	}
	return n.Content, nil
}

// scalar returns one plain value as it is written.
func scalar(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		return "", fmt.Errorf("line %d: expected a value, found %s", n.Line, kindName(n))
	}
	return n.Value, nil
}

// scalars returns a list of plain values; one value alone is a list of one.
func scalars(n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return []string{n.Value}, nil
	}
	items, err := sequence(n)
	if err != nil {
		return nil, err
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, err := scalar(item)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}
