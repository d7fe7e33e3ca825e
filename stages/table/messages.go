package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

const (
	continuation = 0xFFFFFFFF // before each message
	maxHeader    = 64 << 20   // bytes of a message's header; those of all kinds together take less than 4 KiB
)

// messages gives an Arrow IPC stream's messages to the Arrow library after verifying their headers.
// It implements [ipc.MessageReader].
type messages struct {
	// take returns the next n bytes of the stream, which stay valid as long as the message. It fails with
	// io.EOF when there are none, and with io.ErrUnexpectedEOF when there are fewer.
	take func(n int64) ([]byte, error)
	// endless: the stream may end without its end mark (within a file, whose length says where it ends).
	endless bool
	// plain: compressed bodies are refused.
	plain bool
	// limit is told how much memory the message that was just read may take when decoded.
	limit func(n int64)

	count int   // messages read
	err   error // the first failure, which the library wraps beyond recognition
	last  *ipc.Message
}

// bytesMessages reads a whole stream that lies in memory, without copying it.
func bytesMessages(b []byte) *messages {
	return &messages{take: func(n int64) ([]byte, error) {
		switch {
		case len(b) == 0 && n > 0:
			return nil, io.EOF
		case n > int64(len(b)):
			return nil, io.ErrUnexpectedEOF
		}
		head := b[:n:n]
		b = b[n:]
		return head, nil
	}, plain: true}
}

// streamMessages reads a stream as it arrives. Memory grows with what has arrived, not with what a
// header announces.
func streamMessages(r io.Reader) *messages {
	return &messages{take: func(n int64) ([]byte, error) {
		if n <= 1<<20 {
			b := make([]byte, n)
			_, err := io.ReadFull(r, b)
			return b, err
		}
		var b bytes.Buffer
		got, err := io.CopyN(&b, r, n)
		if err == io.EOF && got > 0 {
			err = io.ErrUnexpectedEOF
		}
		return b.Bytes(), err
	}}
}

// Message reads the next message; io.EOF after the last.
func (m *messages) Message() (*ipc.Message, error) {
	m.Release()
	msg, err := m.read()
	if err != nil {
		if err != io.EOF {
			m.err = fmt.Errorf("message %d: %w", m.count, err)
			return nil, m.err
		}
		return nil, io.EOF
	}
	m.count++
	m.last = msg
	return msg, nil
}

func (m *messages) read() (*ipc.Message, error) {
	prefix, err := m.take(8)
	switch {
	case err == io.EOF && m.endless:
		return nil, io.EOF
	case err == io.EOF && m.count == 0:
		return nil, fmt.Errorf("%w: it is empty, want an Arrow IPC stream", ErrTruncated)
	case err == io.EOF:
		return nil, fmt.Errorf("%w: it ends without an end mark; its writer was probably stopped", ErrTruncated)
	case err != nil:
		return nil, inside("the start of a message", err)
	}
	if binary.LittleEndian.Uint32(prefix) != continuation {
		return nil, fmt.Errorf("%w: found bytes % x, want the start of an Arrow IPC message (ff ff ff ff)", ErrCorrupt, prefix[:4])
	}
	n := int64(int32(binary.LittleEndian.Uint32(prefix[4:])))
	if n == 0 {
		return nil, io.EOF
	}
	if n < 8 || n > maxHeader {
		return nil, fmt.Errorf("%w: a header of %d bytes, want 8 to %d", ErrCorrupt, n, maxHeader)
	}
	meta, err := m.take(n)
	if err != nil {
		return nil, inside("a header", err)
	}
	h, err := verifyHeader(meta)
	if err != nil {
		return nil, err
	}
	if h.compressed && m.plain {
		return nil, fmt.Errorf("%w: the body is compressed, want it plain", ErrCorrupt)
	}
	var body []byte
	if h.bodyLen > 0 {
		if body, err = m.take(h.bodyLen); err != nil {
			return nil, inside(fmt.Sprintf("a body of %d bytes", h.bodyLen), err)
		}
	}
	if m.limit != nil {
		m.limit(memoryFor(h))
	}
	mb, bb := memory.NewBufferBytes(meta), memory.NewBufferBytes(body)
	defer mb.Release()
	defer bb.Release()
	return ipc.NewMessage(mb, bb), nil
}

// memoryFor bounds the memory that a message's buffers take when decoded: each is rounded up to
// multiples of 64 bytes, and dictionaries may be copied once more.
func memoryFor(h header) int64 {
	if h.compressed {
		return 1 << 30 // sizes are inside the body; a batch above 1 GiB is refused
	}
	return 2*h.bufferLen + 256*int64(h.buffers) + 64<<10
}

func inside(what string, err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends inside %s", ErrTruncated, what)
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// Retain does nothing: the messages belong to one reader.
func (m *messages) Retain() {}

// Release gives up the last message.
func (m *messages) Release() {
	if m.last != nil {
		m.last.Release()
		m.last = nil
	}
}
