package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// events is a response of server-sent events.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// patience is how long a client may take to read one event.
const patience = time.Minute

func newEvents(w http.ResponseWriter) *events {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // or a proxy would hold events back
	w.WriteHeader(http.StatusOK)
	return &events{w: w, control: http.NewResponseController(w)}
}

// send writes one event with a JSON object and passes it on at once.
func (e *events) send(v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	return e.write(data)
}

// done writes the API's last event.
func (e *events) done() error { return e.write([]byte("[DONE]")) }

func (e *events) write(data []byte) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.w, "data: %s\n\n", data); err != nil {
		return err
	}
	return e.control.Flush()
}

// writeJSON writes a whole response.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience)) // where there is a connection
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(data, '\n'))
	return err
}

// encode is JSON with <, > and & as they are: <think> is not going into a web page.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}
