package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

func message[T any](t testing.TB, table schemas.Table[T], rows []T) []byte {
	t.Helper()
	rec := encode(t, table, checked(t), rows)
	defer rec.Release()
	b, err := EncodeIPC(rec)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// allMessages has one message of each kind, an empty one, and one with types that no kind has.
func allMessages(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"problems": message(t, schemas.Problems(), someProblems()),
		"rollouts": message(t, schemas.Rollouts(), someRollouts()),
		"scored":   message(t, schemas.ScoredRollouts(), someScored()),
		"metrics":  message(t, schemas.Metrics(), someMetrics()),
		"empty":    message(t, schemas.ScoredRollouts(), nil),
		"foreign":  foreignMessage(t),
		"refused":  unsupportedMessage(t),
	}
}

// foreignMessage has a column of each of many types.
func foreignMessage(t testing.TB) []byte {
	t.Helper()
	types := []arrow.DataType{
		arrow.Null, arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Uint8, arrow.FixedWidthTypes.Date32, arrow.BinaryTypes.LargeString,
		arrow.BinaryTypes.Binary, arrow.LargeListOf(arrow.PrimitiveTypes.Int64), arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int16),
		arrow.StructOf(arrow.Field{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true}, arrow.Field{Name: "b", Type: arrow.ListOf(arrow.BinaryTypes.String)}),
		arrow.MapOf(arrow.BinaryTypes.String, arrow.ListOf(arrow.PrimitiveTypes.Float64)),
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.PrimitiveTypes.Int64},
		&arrow.FixedSizeBinaryType{ByteWidth: 3}, &arrow.Decimal128Type{Precision: 10, Scale: 2},
	}
	return manyTypes(t, types)
}

// unsupportedMessage has the types that are refused.
func unsupportedMessage(t testing.TB) []byte {
	t.Helper()
	return manyTypes(t, []arrow.DataType{
		arrow.DenseUnionOf([]arrow.Field{{Name: "i", Type: arrow.PrimitiveTypes.Int32}, {Name: "s", Type: arrow.BinaryTypes.String}}, []arrow.UnionTypeCode{0, 5}),
		arrow.BinaryTypes.StringView, arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String),
	})
}

func manyTypes(t testing.TB, types []arrow.DataType) []byte {
	t.Helper()
	mem := memory.DefaultAllocator // unions and run ends of this version of the library leak in builders
	var fields []arrow.Field
	var cols []arrow.Array
	for i, typ := range types {
		b := array.NewBuilder(mem, typ)
		b.AppendNull()
		for range 2 {
			if typ.ID() == arrow.DICTIONARY { // its "empty value" would be an index into nothing
				b.AppendNull()
			} else {
				b.AppendEmptyValue()
			}
		}
		fields = append(fields, arrow.Field{Name: fmt.Sprint("c", i), Type: typ, Nullable: true})
		cols = append(cols, b.NewArray())
	}
	rec := array.NewRecord(arrow.NewSchema(fields, nil), cols, 3)
	b, err := EncodeIPC(rec)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIPCRoundTrip(t *testing.T) {
	mem := checked(t)
	rows := someScored()
	rec := encode(t, schemas.ScoredRollouts(), mem, rows)
	defer rec.Release()
	part := rec.NewSlice(1, 3)
	defer part.Release()
	for _, c := range []struct {
		rec  arrow.Record
		want []schemas.Scored
	}{{rec, rows}, {part, rows[1:]}} {
		b, err := EncodeIPC(c.rec)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeIPC(b, mem)
		if err != nil {
			t.Fatal(err)
		}
		clear(b) // the record must not need the bytes
		got, err := schemas.ScoredRollouts().Decode(back)
		back.Release()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %+v", got)
		}
	}
}

func TestIPCIsDeterministic(t *testing.T) {
	for range 20 { // map order changes from run to run
		if !bytes.Equal(message(t, schemas.ScoredRollouts(), someScored()), message(t, schemas.ScoredRollouts(), someScored())) {
			t.Fatal("equal rows gave different bytes")
		}
	}
}

func TestIPCForeignTypes(t *testing.T) {
	rec, err := DecodeIPC(foreignMessage(t), checked(t))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	if rec.NumRows() != 3 || rec.NumCols() != 14 {
		t.Errorf("%d rows, %d columns", rec.NumRows(), rec.NumCols())
	}
}

func TestIPCRefuses(t *testing.T) {
	whole := message(t, schemas.Metrics(), someMetrics())
	rec := encode(t, schemas.Metrics(), checked(t), someMetrics())
	defer rec.Release()
	stream := func(batches int, opts ...ipc.Option) []byte {
		var b bytes.Buffer
		w := ipc.NewWriter(&b, append(opts, ipc.WithSchema(rec.Schema()))...)
		for range batches {
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		b    []byte
		err  error
		text string
	}{
		"nothing":    {nil, ErrTruncated, "it is empty"},
		"text":       {[]byte("hello, world"), ErrCorrupt, "want the start of an Arrow IPC message"},
		"no batch":   {stream(0), ErrCorrupt, "no record batch"},
		"two":        {stream(2), ErrCorrupt, "more than one record batch"},
		"compressed": {stream(1, ipc.WithZstd()), ErrCorrupt, "compressed"},
		"trailing":   {append(bytes.Clone(whole), 0), ErrCorrupt, "bytes after the end mark"},
		"no end":     {whole[:len(whole)-8], ErrTruncated, "without an end mark"},
		"cut":        {whole[:len(whole)-20], ErrTruncated, "inside a body"},
		"types":      {unsupportedMessage(t), schemas.ErrColumn, `"c0": columns of type dense_union`},
		"only end":   {[]byte("\xff\xff\xff\xff\x00\x00\x00\x00"), ErrTruncated, "before its schema"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeIPC(c.b, checked(t))
			if got != nil {
				got.Release()
			}
			if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.err, c.text)
			}
		})
	}
}

// decodeAnything decodes bytes that may be damaged, reads every value of what comes out, and checks
// that the memory was bounded and all given back.
func decodeAnything(t testing.TB, b []byte) error {
	t.Helper()
	limit := 8*len(b) + 1<<20
	mem := &bounded{mem: memory.DefaultAllocator, limit: limit}
	rec, err := DecodeIPC(b, mem)
	if err == nil {
		if _, err := EncodeIPC(rec); err != nil {
			t.Errorf("encode again: %v", err)
		}
		for _, kind := range schemas.Kinds() {
			if same, err := schemas.Conform(rec, kind); err == nil {
				readValues(t, same)
				same.Release()
			}
		}
		for _, decode := range []func(arrow.Record) error{
			func(r arrow.Record) error { _, err := schemas.Problems().Decode(r); return err },
			func(r arrow.Record) error { _, err := schemas.ScoredRollouts().Decode(r); return err },
			func(r arrow.Record) error { _, err := schemas.Metrics().Decode(r); return err },
		} {
			_ = decode(rec)
		}
		for c := range int(rec.NumCols()) {
			for i := range min(int(rec.NumRows()), 100) {
				_, _ = arrowValue(rec.Column(c), i)
			}
		}
		rec.Release()
	} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTruncated) && !errors.Is(err, schemas.ErrColumn) {
		t.Errorf("an error of neither sort: %v", err)
	}
	if mem.now != 0 {
		t.Errorf("%d bytes were not given back", mem.now)
	}
	if mem.peak > limit {
		t.Errorf("%d bytes of buffers for %d bytes of input", mem.peak, len(b))
	}
	return err
}

// readValues writes a record as JSON, which reads every value.
func readValues(t testing.TB, rec arrow.Record) {
	t.Helper()
	var b bytes.Buffer
	if err := (&jsonlSink{w: &b}).write(rec); err != nil && !errors.Is(err, schemas.ErrValue) {
		t.Errorf("write: %v", err)
	}
}

// bounded keeps count and peak of what is allocated, and fails before a real machine would. It is the
// checked allocator without the call stacks, whose cost is most of a test of many thousand messages.
type bounded struct {
	mem              memory.Allocator
	now, peak, limit int
}

func (b *bounded) Allocate(n int) []byte {
	b.add(n)
	return b.mem.Allocate(n)
}

func (b *bounded) Reallocate(n int, buf []byte) []byte {
	b.add(n - len(buf))
	return b.mem.Reallocate(n, buf)
}

func (b *bounded) Free(buf []byte) {
	b.add(-len(buf))
	b.mem.Free(buf)
}

func (b *bounded) add(n int) {
	b.now += n
	b.peak = max(b.peak, b.now)
	if b.now > b.limit {
		panic("too much memory")
	}
}

func TestIPCCutAnywhere(t *testing.T) {
	for name, whole := range allMessages(t) {
		for n := range whole {
			err := decodeAnything(t, whole[:n])
			if name == "refused" && errors.Is(err, schemas.ErrColumn) {
				continue
			}
			if !errors.Is(err, ErrTruncated) {
				t.Errorf("%s cut at %d of %d: %v", name, n, len(whole), err)
			}
		}
	}
}

// TestIPCFlipped flips every bit of the headers, every byte everywhere, and puts extreme numbers in
// every place of the headers, where lengths and offsets are.
func TestIPCFlipped(t *testing.T) {
	var before, after runtime.MemStats
	for name, whole := range allMessages(t) {
		b := bytes.Clone(whole)
		step := 1
		if len(whole) > 2000 {
			step = 7 // odd, so that every alignment has its turn
		}
		runtime.ReadMemStats(&before)
		tries := uint64(0)
		try := func(at int) {
			decodeAnything(t, b)
			copy(b[at:], whole[at:min(at+8, len(whole))])
			tries++
		}
		for at := 0; at < len(b); at += step {
			b[at] ^= 1 << (at % 8)
			try(at)
			b[at] ^= 0x80
			try(at)
			if at%4 == 0 {
				for _, v := range []uint32{0, 0x7fffffff, 0xffffffff, 0x10000000} {
					binary.LittleEndian.PutUint32(b[at:min(at+4, len(b))], v)
					try(at)
				}
			}
		}
		runtime.ReadMemStats(&after)
		if per := (after.TotalAlloc - before.TotalAlloc) / tries; per > uint64(40*len(whole)+1<<18) {
			t.Errorf("%s: %d bytes allocated a try, for a message of %d", name, per, len(whole))
		}
	}
}

func FuzzDecodeIPC(f *testing.F) {
	for _, b := range allMessages(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeAnything(t, b)
	})
}
