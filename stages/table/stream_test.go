package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

// group makes n rollouts of a group.
func group(id string, n int) []schemas.Rollout {
	rows := make([]schemas.Rollout, n)
	for i := range rows {
		rows[i] = schemas.Rollout{GroupID: id, Sample: int32(i), FinishReason: schemas.FinishStop, Temperature: 1,
			PromptIDs: []int32{1}, CompletionIDs: []int32{}, LogProbs: []float32{}}
	}
	return rows
}

func rolloutStream(t *testing.T, batches ...[]schemas.Rollout) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := CreateStream(&b, schemas.KindRollouts)
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range batches {
		rec := encode(t, schemas.Rollouts(), checked(t), rows)
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestStreamIsPrompt runs a writer and a reader that wait for each other after each record, as two
// stages do when one needs what the other makes of its output.
func TestStreamIsPrompt(t *testing.T) {
	pr, pw := io.Pipe()
	received, failed := make(chan string), make(chan error, 1)
	go func() {
		failed <- func() error {
			r, err := openStream("in", pr, schemas.KindRollouts, checked(t))
			if err != nil {
				return err
			}
			defer r.Close()
			for {
				rec, err := r.Next()
				if err == io.EOF {
					close(received)
					return nil
				}
				if err != nil {
					return err
				}
				rows, err := schemas.Rollouts().Decode(rec)
				rec.Release()
				if err != nil {
					return err
				}
				received <- fmt.Sprint(rows[0].GroupID, len(rows))
			}
		}()
	}()
	w, err := CreateStream(pw, schemas.KindRollouts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		rec := encode(t, schemas.Rollouts(), checked(t), group(fmt.Sprint("g", i, "x"), 2))
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		select { // the next record is only written once this one has arrived
		case got := <-received:
			if want := fmt.Sprint("g", i, "x2"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		case err := <-failed:
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, more := <-received; more {
		t.Error("more than was written")
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

func TestStreamBatches(t *testing.T) {
	big := append(append(group("a", 40), group("b", 30)...), group("c", 100)...)
	r, err := openStream("in", bytes.NewReader(rolloutStream(t, group("x", 3), nil, group("y", 2), big)), schemas.KindRollouts, checked(t))
	if err != nil {
		t.Fatal(err)
	}
	_, sizes := readAll(t, r, schemas.Rollouts())
	if want := []int{3, 2, 40, 30, 100}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("got batches of %v, want %v", sizes, want)
	}
}

func TestStreamFaults(t *testing.T) {
	whole := rolloutStream(t, group("a", 2), group("b", 2))
	foreign := func(opts ...ipc.Option) []byte {
		var b bytes.Buffer
		w := ipc.NewWriter(&b, append(opts, ipc.WithSchema(schemas.Metrics().Schema()))...)
		rec := encode(t, schemas.Metrics(), checked(t), someMetrics())
		defer rec.Release()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		b    []byte
		rows int // that arrive before the fault
		err  error
		text string
	}{
		"whole":       {whole, 4, nil, ""},
		"no rows":     {rolloutStream(t), 0, nil, ""},
		"nothing":     {nil, 0, ErrTruncated, "it is empty"},
		"no end mark": {whole[:len(whole)-8], 4, ErrTruncated, "without an end mark"},
		"cut":         {whole[:len(whole)-30], 2, ErrTruncated, "inside a body"},
		"cut early":   {whole[:100], 0, ErrTruncated, "inside a header"},
		"split group": {rolloutStream(t, group("a", 2), group("a", 2)), 2, ErrCorrupt, `group "a" is split`},
		"other kind":  {foreign(), 0, schemas.ErrKind, "found metrics, want rollouts"},
		"text":        {[]byte(`{"group_id": "a"}`), 0, ErrCorrupt, "want the start of an Arrow IPC message"},
	} {
		t.Run(name, func(t *testing.T) {
			var rows []schemas.Rollout
			r, err := openStream("stream", bytes.NewReader(c.b), schemas.KindRollouts, checked(t))
			if err == nil {
				rows, _, err = drain(r, schemas.Rollouts())
			}
			if len(rows) != c.rows {
				t.Errorf("%d rows arrived, want %d", len(rows), c.rows)
			}
			if c.err == nil && err != nil || c.err != nil && (!errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "stream: ")) {
				t.Errorf("got %v, want %v with %q", err, c.err, c.text)
			}
		})
	}
	t.Run("compressed", func(t *testing.T) { // fine in a stream, which may come from anywhere
		for _, opt := range []ipc.Option{ipc.WithZstd(), ipc.WithLZ4()} {
			r, err := openStream("in", bytes.NewReader(foreign(opt)), schemas.KindMetrics, checked(t))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := readAll(t, r, schemas.Metrics()); !reflect.DeepEqual(got, someMetrics()) {
				t.Errorf("got %v", got)
			}
		}
	})
}

// TestStreamReadErrors checks that an error of the reader below is passed on as it is.
func TestStreamReadErrors(t *testing.T) {
	broken := errors.New("cable pulled")
	whole := rolloutStream(t, group("a", 2))
	for _, n := range []int{0, 4, 100, len(whole) - 40, len(whole) - 8} {
		in := io.MultiReader(bytes.NewReader(whole[:n]), errorReader{broken})
		r, err := openStream("in", in, schemas.KindRollouts, checked(t))
		if err == nil {
			_, _, err = drain(r, schemas.Rollouts())
		}
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: got %v", n, err)
		}
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestReady(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		whole bool
		want  int
	}{
		{nil, false, 0}, {nil, true, 0},
		{[]int{10}, false, 0}, {[]int{10}, true, 10},
		{[]int{64}, false, 0}, {[]int{64, 1}, false, 64},
		{[]int{200}, false, 0}, {[]int{200, 1}, false, 200}, {[]int{200}, true, 200},
		{[]int{30, 30, 30}, false, 0}, {[]int{30, 30, 30, 1}, false, 60}, {[]int{30, 30, 30}, true, 60},
		{[]int{32, 32, 5}, false, 64}, {[]int{1, 200, 5}, false, 1},
	} {
		runs := make([]schemas.Range, len(c.sizes))
		for i, n := range c.sizes {
			runs[i].End = n
		}
		if got := ready(runs, c.whole, 64); got != c.want {
			t.Errorf("ready(%v, %v) = %d, want %d", c.sizes, c.whole, got, c.want)
		}
	}
}

func TestGroupTooLarge(t *testing.T) {
	src := &endless{}
	r := newReader("endless", src, schemas.KindRollouts, checked(t))
	if _, _, err := drain(r, schemas.Rollouts()); err == nil || !strings.Contains(err.Error(), `group "a" has more than 65536 rows`) {
		t.Errorf("got %v", err)
	}
}

// endless is a source of one group that never ends.
type endless struct{}

func (e *endless) next() (arrow.Record, error) {
	return schemas.Rollouts().Encode(memory.DefaultAllocator, group("a", 5000))
}

func (e *endless) close() error { return nil }
