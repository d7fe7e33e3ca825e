package card

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"openrs/stages/atomicfile"
)

// Write writes card.md, card.html and card.json into a folder, which it makes.
func (c *Card) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("card: %w", err)
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{"card.md", c.Markdown}, {"card.html", c.HTML}, {"card.json", c.JSON}} {
		if err := atomicfile.Write(filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("card: %w", err)
		}
	}
	return nil
}

// JSON writes the card for programs.
func (c *Card) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(c)
}
