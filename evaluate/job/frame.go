package job

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A frame is a piece of finished samples in a store's file: a line of text,
//
//	openrs-samples LENGTH SHA-256
//
// and LENGTH bytes, an Arrow IPC stream of one batch of scored rollouts, with that digest. Frames are
// only ever added at the end.

const (
	frameMark = "openrs-samples"
	// maxFrame is more than any piece has: a longer length is damage.
	maxFrame = 1 << 31
	// maxFrameLine is more than a head has.
	maxFrameLine = 128
)

// errFrame says that there is no frame where one should begin: everything from there on is of no use.
var errFrame = errors.New("no samples begin here")

// frameHead is a frame's first line.
func frameHead(body []byte) []byte {
	sum := sha256.Sum256(body)
	return fmt.Appendf(nil, "%s %d %s\n", frameMark, len(body), hex.EncodeToString(sum[:]))
}

// frameReader reads frames in order.
type frameReader struct {
	r    *bufio.Reader
	left int64 // bytes from the next frame to the file's end
	at   int64 // offset of the next frame
}

// next returns a frame's body with its offset and whether the digest is right, io.EOF at the end of
// the file, and errFrame where the file is damaged or cut off.
func (f *frameReader) next() (body []byte, at int64, good bool, err error) {
	line, err := f.r.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return nil, 0, false, io.EOF
	}
	if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, 0, false, err
	}
	length, digest, ok := parseFrameHead(string(line))
	if !ok || length > f.left-int64(len(line)) {
		return nil, 0, false, errFrame
	}
	head := int64(len(line))
	body = make([]byte, length)
	if _, err := io.ReadFull(f.r, body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
			err = errFrame
		}
		return nil, 0, false, err
	}
	at = f.at + head
	f.at += head + length
	f.left -= head + length
	sum := sha256.Sum256(body)
	return body, at, hex.EncodeToString(sum[:]) == digest, nil
}

// parseFrameHead reads a frame's first line.
func parseFrameHead(line string) (length int64, digest string, ok bool) {
	if len(line) > maxFrameLine || !strings.HasSuffix(line, "\n") {
		return 0, "", false
	}
	if n, err := fmt.Sscanf(line, frameMark+" %d %64s\n", &length, &digest); n != 2 || err != nil {
		return 0, "", false
	}
	if length < 0 || length > maxFrame || line != fmt.Sprintf("%s %d %s\n", frameMark, length, digest) {
		return 0, "", false
	}
	return length, digest, true
}
