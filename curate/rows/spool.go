package rows

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
)

// Place is where in a spool a row lies.
type Place int64

// bufferBytes is how much is written at a time, and the most that is in memory.
const bufferBytes = 1 << 20

// Spool is a temporary file of rows, for several goroutines. Nothing of it is left when the process ends,
// however it ends, where a file can be removed while it is open.
type Spool struct {
	mu      sync.Mutex
	file    *os.File
	name    string // to remove at the end; "" when it is gone already
	buf     []byte // what comes after the first `written` bytes
	written int64
	rows    int
	scratch []byte
}

// NewSpool makes a spool in a folder; "" is the system's for temporary files.
func NewSpool(dir string) (*Spool, error) {
	f, err := os.CreateTemp(dir, "openrs-curate-*.rows")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	s := &Spool{file: f, name: f.Name()}
	if os.Remove(s.name) == nil {
		s.name = ""
	}
	return s, nil
}

// Rows is how many rows were added, states of the same row counted each.
func (s *Spool) Rows() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows
}

// Bytes is how large the file is.
func (s *Spool) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end()
}

func (s *Spool) end() int64 { return s.written + int64(len(s.buf)) }

// Keep makes sure that the row's present state is in the spool, and returns its place.
func (s *Spool) Keep(r *Row) (Place, error) {
	if r.place > 0 && !r.changed {
		return r.place, nil
	}
	r.changed = false
	return s.KeepEncoded(r, Append(nil, r))
}

// KeepEncoded keeps bytes that the caller has made already, by [Append], of an earlier state of the row: a
// change since then still has to be kept.
func (s *Spool) KeepEncoded(r *Row, b []byte) (Place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end() == 0 {
		s.buf = append(s.buf, 0) // so that no row is at place 0
	}
	r.place = Place(s.end())
	s.buf = binary.LittleEndian.AppendUint32(s.buf, uint32(len(b)))
	s.buf = append(s.buf, b...)
	s.rows++
	if len(s.buf) < bufferBytes {
		return r.place, nil
	}
	n, err := s.file.Write(s.buf)
	if err != nil {
		return 0, fmt.Errorf("temporary file: %w", err)
	}
	s.written += int64(n)
	s.buf = s.buf[:0]
	return r.place, nil
}

// Read reads the row at a place.
func (s *Spool) Read(at Place) (*Row, error) {
	text, err := s.read(at)
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	r, err := Decode(text)
	if err != nil {
		return nil, fmt.Errorf("temporary file: row at byte %d: %w", at, err)
	}
	r.place = at
	return r, nil
}

// guess is how many bytes are read at once in the hope that they hold the whole row.
const guess = 4096

// read returns a copy of a row's bytes.
func (s *Spool) read(at Place) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bytes(at)
	return string(b), err
}

func (s *Spool) bytes(at Place) ([]byte, error) {
	if in := int64(at) - s.written; in >= 0 {
		b := s.buf[in:]
		n := binary.LittleEndian.Uint32(b)
		return b[4 : 4+n], nil
	}
	if len(s.scratch) < guess {
		s.scratch = make([]byte, guess)
	}
	b := s.scratch[:guess]
	n, err := s.file.ReadAt(b, int64(at))
	if n < 4 {
		return nil, fmt.Errorf("row at byte %d: %w", at, err)
	}
	size := 4 + int(binary.LittleEndian.Uint32(b))
	if size <= n {
		return b[4:size], nil
	}
	if int64(at)+int64(size) > s.written {
		return nil, fmt.Errorf("row at byte %d: %w: it would take %d bytes", at, ErrCorrupt, size)
	}
	if len(s.scratch) < size {
		s.scratch = make([]byte, size)
	}
	b = s.scratch[:size]
	if _, err := s.file.ReadAt(b, int64(at)); err != nil {
		return nil, fmt.Errorf("row at byte %d: %w", at, err)
	}
	return b[4:], nil
}

// Close gives up the file.
func (s *Spool) Close() error {
	err := s.file.Close()
	if s.name != "" {
		os.Remove(s.name)
	}
	return err
}
