package refine

import (
	"errors"
	"fmt"
	"io"

	"openrs/curate/load"
	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/curate/step"
	"openrs/schemas"
)

// File is one file of a source.
type File struct {
	Path string
	Load load.Options
}

// Files finds the files of sources, in order; resolve makes a path of what a source says. What is worth
// telling is in notes. A problem of one file that another one has, too, is for [Run] to find.
func Files(sources []recipe.Source, resolve func(string) string, opt load.Options) (files []File, notes []string, err error) {
	for _, s := range sources {
		path := resolve(s.Path)
		found, err := load.Find(path)
		if s.Optional && errors.Is(err, load.ErrNoFile) {
			notes = append(notes, path+": not there, left out")
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if len(found.Splits) > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d files of other splits left out (%s, …); name them to read them", path, len(found.Splits), found.Splits[0]))
		}
		for _, file := range found.Files {
			o := opt
			o.Columns, o.Strict, o.Repeats = s.Columns, s.Strict || opt.Strict, true
			o.Source = s.Name
			if o.Source == "" {
				o.Source = found.Source(file)
			}
			files = append(files, File{file, o})
		}
	}
	return files, notes, nil
}

// Chunks of rows are what one worker takes at a time.
const (
	chunkRows  = 256
	chunkBytes = 1 << 20
)

// item is one row in a chunk, and what becomes of it.
type item struct {
	row     *rows.Row
	reason  string // why reading made no problem of it
	detail  string
	encoded []byte // as it was read

	prepared []any // by each judge of the segment
	at       int   // the step of the segment that has removed it, in work; else the number of steps
	removal  *step.Removal
}

// reader reads all files, one after the other, in chunks.
type reader struct {
	files []File
	next  int
	from  *load.Reader
	num   int
	told  func(file int, s load.Summary)
}

func (r *reader) chunk() ([]*item, bool, error) {
	var chunk []*item
	bytes := 0
	for len(chunk) < chunkRows && bytes < chunkBytes {
		if r.from == nil {
			if r.next == len(r.files) {
				break
			}
			f := r.files[r.next]
			r.next++
			var err error
			if r.from, err = load.Open(f.Path, f.Load); err != nil {
				return nil, false, err
			}
		}
		read, err := r.from.NextRow()
		if errors.Is(err, io.EOF) {
			if err := r.close(); err != nil {
				return nil, false, err
			}
			continue
		}
		if err != nil {
			return nil, false, err
		}
		row := &rows.Row{Problem: read.Problem, Num: -1, File: r.next - 1, Line: int64(read.Number)}
		if read.Reason == "" {
			row.Num = r.num
			r.num++
		}
		chunk = append(chunk, &item{row: row, reason: read.Reason, detail: read.Detail})
		bytes += size(row.Problem)
	}
	return chunk, len(chunk) > 0, nil
}

func size(p schemas.Problem) int {
	n := len(p.Problem) + len(p.Answer) + 100
	if p.Solution != nil {
		n += len(*p.Solution)
	}
	return n
}

// close ends the file that is being read.
func (r *reader) close() error {
	if r.from == nil {
		return nil
	}
	r.told(r.next-1, r.from.Summary())
	from := r.from
	r.from = nil
	return from.Close()
}

// again reads rows from the spool in a given order, in chunks.
type again struct {
	spool  *rows.Spool
	places []rows.Place
}

func (a *again) chunk() ([]*item, bool, error) {
	var chunk []*item
	bytes := 0
	for len(a.places) > 0 && len(chunk) < chunkRows && bytes < chunkBytes {
		row, err := a.spool.Read(a.places[0])
		if err != nil {
			return nil, false, err
		}
		a.places = a.places[1:]
		chunk = append(chunk, &item{row: row})
		bytes += size(row.Problem)
	}
	return chunk, len(chunk) > 0, nil
}
