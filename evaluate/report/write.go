package report

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"openrs/stages/atomicfile"
)

// Save writes the report into a folder, which is made if it is not there:
//
//	report.json  report.html  report.md  samples.parquet
//	results/MODEL/results_DATE.json               as lighteval does
//	details/MODEL/DATE/details_TASK|0_DATE.parquet   likewise, when asked for
//
// Each file is either written whole or left as it was.
func (r *Report) Save(dir string) error {
	files := []struct {
		path  string
		write func(io.Writer) error
	}{
		{"report.json", r.WriteJSON}, {"report.md", r.WriteMarkdown}, {"samples.parquet", r.WriteSamples}, {"report.html", r.WriteHTML},
	}
	taken := make(map[string]bool)
	for i, m := range r.Models {
		folder := modelFolder(m.Name)
		for n := 2; taken[folder]; n++ {
			folder = modelFolder(m.Name) + "-" + strconv.Itoa(n)
		}
		taken[folder] = true
		add := func(path string, write func(io.Writer) error) {
			files = append(files, struct {
				path  string
				write func(io.Writer) error
			}{path, write})
		}
		add(filepath.Join("results", folder, "results_"+r.date()+".json"), func(w io.Writer) error { return r.WriteLighteval(w, i) })
		if !r.options.Details {
			continue
		}
		for _, t := range m.Tasks {
			name := "details_" + modelFolder(r.taskKey(t.Name)) + "_" + r.date() + ".parquet"
			add(filepath.Join("details", folder, r.date(), name), func(w io.Writer) error { return r.WriteDetails(w, i, t.Name) })
		}
	}
	for _, f := range files {
		path := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := atomicfile.Write(path, f.write); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the report as indented JSON.
func (r *Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
