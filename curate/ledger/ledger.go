package ledger

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	pqzstd "github.com/parquet-go/parquet-go/compress/zstd"

	"openrs/stages/atomicfile"
)

// Entry says where a row that was taken out was read, which step did it, and why.
type Entry struct {
	ProblemID string `json:"problem_id" parquet:"problem_id"` // "" where no problem could be made of the row
	Source    string `json:"source" parquet:"source"`
	File      string `json:"file" parquet:"file"`
	Row       int64  `json:"row" parquet:"row"` // in the file, from 1
	Step      string `json:"step" parquet:"step"`
	Reason    string `json:"reason" parquet:"reason"`
	Detail    string `json:"detail,omitempty" parquet:"detail,optional"`
	// The other row: the one that stayed, of a duplicate, or the item of a benchmark.
	OtherID   string `json:"other_id,omitempty" parquet:"other_id,optional"`
	OtherFile string `json:"other_file,omitempty" parquet:"other_file,optional"`
	OtherRow  int64  `json:"other_row,omitempty" parquet:"other_row,optional"`
	Problem   string `json:"problem" parquet:"problem"` // its beginning
}

// Writer writes a ledger. It is used by one goroutine.
type Writer struct {
	name string
	file *atomicfile.File
	out  io.WriteCloser // compressed JSON lines; nil for Parquet
	json *json.Encoder
	pq   *parquet.GenericWriter[Entry]
	rows int
}

// flushRows is how many entries are in memory before Parquet writes them.
const flushRows = 20_000

// Endings are those of files that Create makes.
func Endings() []string { return []string{".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst"} }

// Create starts a ledger in the format that the path's ending tells. A file that is there is replaced when
// Close succeeds.
func Create(path string) (*Writer, error) {
	ending := ""
	for _, e := range Endings() {
		if strings.HasSuffix(strings.ToLower(path), e) {
			ending = e
		}
	}
	if ending == "" {
		return nil, fmt.Errorf("ledger %s: expected a file ending in %s", path, strings.Join(Endings(), ", "))
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	w := &Writer{name: path, file: f}
	switch ending {
	case ".parquet":
		w.pq = parquet.NewGenericWriter[Entry](f, parquet.Compression(&pqzstd.Codec{}), parquet.CreatedBy("openrs", "1", ""))
		return w, nil
	case ".jsonl":
		w.out = plain{bufio.NewWriter(f)}
	case ".jsonl.gz":
		w.out = gzip.NewWriter(f)
	case ".jsonl.zst":
		if w.out, err = zstd.NewWriter(f, zstd.WithEncoderConcurrency(1)); err != nil {
			f.Discard()
			return nil, fmt.Errorf("ledger %s: %w", path, err)
		}
	}
	w.json = json.NewEncoder(w.out)
	w.json.SetEscapeHTML(false)
	return w, nil
}

// plain is a file without compression.
type plain struct{ *bufio.Writer }

func (p plain) Close() error { return p.Flush() }

// Add adds an entry.
func (w *Writer) Add(e Entry) error {
	w.rows++
	var err error
	if w.pq == nil {
		err = w.json.Encode(e)
	} else if _, err = w.pq.Write([]Entry{e}); err == nil && w.rows%flushRows == 0 {
		err = w.pq.Flush()
	}
	if err != nil {
		return fmt.Errorf("ledger %s: %w", w.name, err)
	}
	return nil
}

// Rows is how many entries there are.
func (w *Writer) Rows() int { return w.rows }

// Close finishes the file and puts it in its place.
func (w *Writer) Close() error {
	var err error
	if w.pq != nil {
		err = w.pq.Close()
	} else {
		err = w.out.Close()
	}
	if err != nil {
		w.file.Discard()
		return fmt.Errorf("ledger %s: %w", w.name, err)
	}
	if err := w.file.Commit(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// Abort discards what was written. It does nothing after Close.
func (w *Writer) Abort() { w.file.Discard() }
