package job

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/table"
)

// syncEvery is how much work of the last moments a power cut may take; a killed process loses none.
const syncEvery = time.Second

// Store keeps finished samples in a file (see frame.go). What was added once is there after a kill at
// any moment; a sample that is there already is not added again. One process at a time uses a store.
type Store struct {
	file   *os.File
	path   string
	size   int64
	places map[Key]place
	failed map[Key]bool // no completion could be made in an earlier start: made again
	synced time.Time
	dirty  bool  // something was added since
	last   batch // read most recently
}

// place is where a sample stands: its frame's body, and its row there.
type place struct {
	at, length int64
	row        int
}

// batch is a frame's rows.
type batch struct {
	at   int64
	rows []schemas.Scored
}

// Found is what [Open] found in a store's file.
type Found struct {
	Samples int
	Damaged int   // pieces whose digest is not right; they are made again
	Cut     int64 // bytes after the last whole piece, which a kill had left half written; removed
}

// Open opens the store at path, or makes it.
func Open(path string) (*Store, Found, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, Found{}, fmt.Errorf("finished samples: %w", err)
	}
	s := &Store{file: file, path: path, places: map[Key]place{}, failed: map[Key]bool{}, synced: time.Now()}
	if err := hold(file, path); err != nil {
		return nil, Found{}, err
	}
	found, err := s.scan()
	if err != nil {
		file.Close()
		return nil, found, fmt.Errorf("%s: %w", path, err)
	}
	return s, found, nil
}

// hold locks a file, or closes it.
func hold(file *os.File, path string) error {
	if err := lock(file); err != nil {
		file.Close()
		return fmt.Errorf("%s: another evaluation is at work here: %w", path, err)
	}
	return nil
}

// Lock keeps others from what the file at path stands for, until it is closed or the process ends.
func Lock(path string) (io.Closer, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	return file, hold(file, path)
}

// scan reads what is there, and cuts off what can't be read at the end.
func (s *Store) scan() (found Found, err error) {
	info, err := s.file.Stat()
	if err != nil {
		return found, err
	}
	f := &frameReader{r: bufio.NewReaderSize(s.file, 1<<16), left: info.Size()}
	for {
		body, at, good, err := f.next()
		if err == io.EOF || errors.Is(err, errFrame) {
			break
		}
		if err != nil {
			return found, err
		}
		rows, err := decodeScored(body)
		if err != nil || !good {
			found.Damaged++
			continue
		}
		s.note(rows, at, int64(len(body)))
		for _, r := range rows {
			if k := (Key{r.ProblemID, r.Sample}); r.FinishReason == schemas.FinishError && s.places[k].at == at {
				s.failed[k] = true
			}
		}
	}
	found.Samples = len(s.places) - len(s.failed)
	if found.Cut = info.Size() - f.at; found.Cut > 0 {
		if err := s.file.Truncate(f.at); err != nil {
			return found, err
		}
	}
	s.size = f.at
	return found, nil
}

// note remembers where the rows of a frame stand. The first place of a sample stays, unless it has failed there.
func (s *Store) note(rows []schemas.Scored, at, length int64) {
	for i, r := range rows {
		if k := (Key{r.ProblemID, r.Sample}); !s.Has(k) {
			s.places[k] = place{at: at, length: length, row: i}
			delete(s.failed, k)
		}
	}
}

// Has reports whether a sample is finished. One of which an earlier start could make no completion (a prompt that did
// not fit into the cache, say) is not: with other flags it may be possible.
func (s *Store) Has(k Key) bool {
	_, ok := s.places[k]
	return ok && !s.failed[k]
}

// Add keeps finished samples, those that are not there yet, and returns how many these are.
func (s *Store) Add(rows []schemas.Scored) (fresh int, err error) {
	var more []schemas.Scored
	for _, r := range rows {
		if !s.Has(Key{r.ProblemID, r.Sample}) {
			more = append(more, r)
		}
	}
	if len(more) == 0 {
		return 0, nil
	}
	rec, err := schemas.ScoredRollouts().Encode(memory.DefaultAllocator, more)
	if err != nil {
		return 0, err
	}
	body, err := table.EncodeIPC(rec)
	rec.Release()
	if err != nil {
		return 0, err
	}
	// In one call, at a place of our own: after a failed write, of a full disk, the next one goes over it.
	head := frameHead(body)
	if _, err := s.file.WriteAt(append(head, body...), s.size); err != nil {
		return 0, fmt.Errorf("finished samples: %w", err)
	}
	s.note(more, s.size+int64(len(head)), int64(len(body)))
	s.size += int64(len(head) + len(body))
	s.dirty = true
	if time.Since(s.synced) > syncEvery {
		err = s.Sync()
	}
	return len(more), err
}

// Sync makes what was added survive a power cut.
func (s *Store) Sync() error {
	s.synced, s.dirty = time.Now(), false
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("finished samples: %w", err)
	}
	return nil
}

// Row reads a finished sample. Reading the samples of a problem one after the other costs one read.
func (s *Store) Row(k Key) (schemas.Scored, error) {
	p, ok := s.places[k]
	if !ok {
		return schemas.Scored{}, fmt.Errorf("%s: sample %d of problem %s is not there", s.path, k.Sample, k.ProblemID)
	}
	if s.last.rows == nil || s.last.at != p.at {
		body := make([]byte, p.length)
		if _, err := s.file.ReadAt(body, p.at); err != nil {
			return schemas.Scored{}, fmt.Errorf("finished samples: %w", err)
		}
		rows, err := decodeScored(body)
		if err != nil {
			return schemas.Scored{}, fmt.Errorf("%s: bytes from %d: %w", s.path, p.at, err)
		}
		s.last = batch{at: p.at, rows: rows}
	}
	return s.last.rows[p.row], nil
}

// Clear forgets everything.
func (s *Store) Clear() error {
	clear(s.places)
	clear(s.failed)
	s.size, s.last = 0, batch{}
	return s.file.Truncate(0)
}

// Close lets go of the file.
func (s *Store) Close() error {
	if !s.dirty {
		return s.file.Close()
	}
	return errors.Join(s.Sync(), s.file.Close())
}

func decodeScored(body []byte) ([]schemas.Scored, error) {
	rec, err := table.DecodeIPC(body, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	if err := schemas.Check(rec.Schema(), schemas.KindScored); err != nil {
		return nil, err
	}
	return schemas.ScoredRollouts().Decode(rec)
}
