package report

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"openrs/stages/atomicfile"
)

// Save writes report.json and report.html into a folder, which is made if it
// is not there. Each file is either written whole or left as it was.
func (r *Report) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, "report.json"), r.WriteJSON); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, "report.html"), r.WriteHTML)
}

// WriteJSON writes the report as indented JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
