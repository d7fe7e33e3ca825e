package serve

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"openrs/generate/engine"
	"openrs/generate/logprobs"
	"openrs/stages/checkpoint"
	"openrs/stages/tokenizer"
)

// Options describe the model and bound what requests may take.
type Options struct {
	Name        string // of the model in the API
	Folder      string // what --model says, which requests may say too
	Fingerprint string // system_fingerprint: changes with what answers may depend on
	Tokenizer   *tokenizer.Tokenizer
	Ends        []int32               // tokens that end a completion
	Generation  checkpoint.Generation // sampling parameters of requests that have none
	Template    map[string]any        // variables of the chat template that a request need not name
	Vocab       int
	Context     int // longest prompt and completion together
	Scorable    int // longest text whose log-probabilities may be asked for (echo with logprobs)

	MaxChoices int    // completions of one request
	Together   int    // completions of one prompt that are sampled at the same time (0: all)
	MaxWaiting int    // prompts that may wait for their turn; more are refused with 429
	MaxBody    int64  // bytes of a request
	Key        string // bearer token that requests must carry; "" for none
	Log        *slog.Logger
}

// Server answers requests. Make it with New, give it to Run.
type Server struct {
	opt      Options
	loop     *loop
	life     context.Context // ends when requests must
	began    time.Time
	patience time.Duration // how long a client may take to send a request
}

// New makes a server of engines that nobody else uses from now on; the scorer works on one of their
// models.
func New(opt Options, pool *engine.Pool, scorer *logprobs.Scorer) *Server {
	return &Server{opt: opt, loop: newLoop(pool, scorer, opt.MaxWaiting, opt.Log), life: context.Background(), began: time.Now(), patience: time.Minute}
}

// Run serves on a listener until ctx is done, and then lets requests that were accepted finish for up to
// drain; what is left after that is cut off. It returns the engine's error if there was one.
func (s *Server) Run(ctx context.Context, listener net.Listener, drain time.Duration) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	s.life = life
	engineEnd := make(chan error, 1)
	go func() { engineEnd <- s.loop.run(life) }()

	local := false
	if addr, ok := listener.Addr().(*net.TCPAddr); ok {
		local = addr.IP.IsLoopback()
	}
	web := &http.Server{
		Handler: s.handler(local), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug),
	}
	webEnd := make(chan error, 1)
	go func() { webEnd <- web.Serve(listener) }()

	var failed error
	select {
	case failed = <-engineEnd:
		engineEnd <- nil
	case failed = <-webEnd:
	case <-ctx.Done():
		s.opt.Log.Info("draining", "at_most", drain.String())
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := web.Shutdown(patience); err != nil {
		s.opt.Log.Warn("requests were cut off", "after", drain.String())
	}
	end()
	return errors.Join(failed, <-engineEnd, web.Close())
}

// handler is all routes. local says that only this machine can reach the server.
func (s *Server) handler(local bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { s.health(w) })
	mux.Handle("/v1/chat/completions", s.guard(local, wrongMethod))
	mux.Handle("/v1/completions", s.guard(local, wrongMethod))
	mux.Handle("GET /v1/models", s.guard(local, s.models))
	mux.Handle("GET /v1/models/{name...}", s.guard(local, s.models))
	mux.Handle("POST /v1/chat/completions", s.guard(local, s.chat))
	mux.Handle("POST /v1/completions", s.guard(local, s.completions))
	mux.Handle("/", s.guard(local, func(_ http.ResponseWriter, r *http.Request) error {
		return &apiError{Status: http.StatusNotFound, Type: "invalid_request_error",
			Message: fmt.Sprintf("%s %s: expected POST /v1/chat/completions, POST /v1/completions, GET /v1/models or GET /health", r.Method, r.URL.Path)}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Also of those who are refused the body is read, to find the next request behind it.
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.patience)); err != nil {
			s.opt.Log.Warn("a client may take for ever to send its request", "error", err)
		}
		mux.ServeHTTP(w, r)
	})
}

// wrongMethod answers where only POST is known.
func wrongMethod(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Allow", http.MethodPost)
	return &apiError{Status: http.StatusMethodNotAllowed, Type: "invalid_request_error", Message: fmt.Sprintf("%s %s: expected POST", r.Method, r.URL.Path)}
}

// guard checks who asks and reports what went wrong.
func (s *Server) guard(local bool, next func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.admit(r, local)
		if err == nil {
			err = next(w, r)
		}
		if err == nil {
			return
		}
		failure := s.asAPIError(err)
		if failure.Status >= http.StatusInternalServerError {
			s.opt.Log.Warn("request failed", "path", r.URL.Path, "status", failure.Status, "error", failure.Message)
		}
		switch failure.Status {
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "1")
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		_ = writeJSON(w, failure.Status, object{"error": failure}) // the client may be gone
	})
}

// admit refuses those who may not ask. A server that only this machine can reach also refuses requests
// for another host's name: a web page in a browser here could otherwise reach it by a name that its
// author controls (DNS rebinding).
func (s *Server) admit(r *http.Request, local bool) error {
	if s.opt.Key != "" {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.opt.Key))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
			return &apiError{Status: http.StatusUnauthorized, Type: "authentication_error", Code: "invalid_api_key",
				Message: "expected the header Authorization: Bearer KEY with the server's key"}
		}
		return nil
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	if local && !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
		return &apiError{Status: http.StatusForbidden, Type: "permission_error", Message: fmt.Sprintf("host %q: expected localhost", r.Host)}
	}
	return nil
}

// health says whether the engine is at work.
func (s *Server) health(w http.ResponseWriter) {
	s.loop.mu.Lock()
	err := s.loop.err
	s.loop.mu.Unlock()
	status, text := http.StatusOK, "ok"
	if err != nil {
		status, text = http.StatusServiceUnavailable, err.Error()
	}
	_ = writeJSON(w, status, object{"status": text})
}

// models lists the one model that there is.
func (s *Server) models(w http.ResponseWriter, r *http.Request) error {
	card := object{"id": s.opt.Name, "object": "model", "created": s.began.Unix(), "owned_by": "openrs", "max_model_len": s.opt.Context}
	switch name := r.PathValue("name"); name {
	case "":
		return writeJSON(w, http.StatusOK, object{"object": "list", "data": []object{card}})
	case s.opt.Name:
		return writeJSON(w, http.StatusOK, card)
	default:
		return s.noModel(name)
	}
}

func (s *Server) noModel(name string) error {
	return &apiError{Status: http.StatusNotFound, Type: "invalid_request_error", Param: "model", Code: "model_not_found",
		Message: fmt.Sprintf("there is no model %q: expected %q", name, s.opt.Name)}
}
