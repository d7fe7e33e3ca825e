package table

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// input is a file that is open for reading: at any place, and, for the formats that need no more, in
// order.
type input struct {
	path  string
	file  io.ReaderAt
	size  int64
	order io.Reader
	close func() error
}

// openInput opens a regular file that is not empty: even a table without rows has some bytes, so an
// empty file is one that its writer never wrote.
func openInput(path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the path
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case st.IsDir():
		err = fmt.Errorf("%s: it is a folder, want a file", path)
	case st.Mode().IsRegular() && st.Size() == 0:
		err = fmt.Errorf("%s: %w: it is empty (0 bytes)", path, ErrTruncated)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &input{path: path, file: f, size: st.Size(), order: f, close: f.Close}, nil
}

// reader gives the file's bytes in order, decompressed as the path's ending says.
func (in *input) reader() (io.Reader, error) {
	switch path := strings.ToLower(in.path); {
	case strings.HasSuffix(path, ".gz"):
		r, err := gzip.NewReader(in.order)
		if err != nil {
			return nil, compressed(err)
		}
		return decompressor{r}, nil
	case strings.HasSuffix(path, ".zst"):
		r, err := zstd.NewReader(in.order, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, compressed(err)
		}
		end := in.close
		in.close = func() error {
			r.Close()
			return end()
		}
		return decompressor{r}, nil
	}
	return in.order, nil
}

// decompressor names what failed when the compressed bytes are bad.
type decompressor struct{ r io.Reader }

func (d decompressor) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	if err != nil && err != io.EOF {
		err = compressed(err)
	}
	return n, err
}

func compressed(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return fmt.Errorf("%w: the compressed data ends early", ErrTruncated)
	}
	return fmt.Errorf("%w: decompress: %w", ErrCorrupt, err)
}

// compressTo is the writing side: Close of the result ends the compressed data, not the file.
func compressTo(path string, w io.Writer) (io.WriteCloser, error) {
	switch path = strings.ToLower(path); {
	case strings.HasSuffix(path, ".gz"):
		return gzip.NewWriter(w), nil
	case strings.HasSuffix(path, ".zst"):
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}
	return plainCloser{w}, nil
}

type plainCloser struct{ io.Writer }

func (plainCloser) Close() error { return nil }
