package stages

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"openrs/schemas"
)

// Value is one measurement under its metric name; names are TRL's where TRL has the metric.
type Value struct {
	Name  string
	Value float64
}

// Recorder sends a stage's metrics to where they are wanted: a JSON lines file in the run's folder,
// the run's metrics stream, and Prometheus. A metric that can't be delivered is logged and never
// stops the stage. A Recorder is used by one goroutine.
type Recorder struct {
	stage  string
	log    *slog.Logger
	file   *os.File
	sink   Sink
	gauges *gauges
}

// Record stores the values of a step.
func (r *Recorder) Record(ctx context.Context, step int64, values []Value) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	rows := make([]schemas.Metric, 0, len(values))
	for _, v := range values {
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			r.log.Warn("metric is not a number", "name", v.Name, "step", step, "value", v.Value)
			continue
		}
		rows = append(rows, schemas.Metric{Time: now, Stage: r.stage, Step: step, Name: v.Name, Value: v.Value})
	}
	if r.file != nil {
		if err := appendLines(r.file, rows); err != nil {
			r.log.Warn("metrics file", "error", err)
		}
	}
	if r.gauges != nil {
		r.gauges.set(rows)
	}
	if r.sink != nil {
		r.publish(ctx, step, rows)
	}
}

// publish sends the rows to the metrics stream. A step that is done again after a crash is published
// again: of rows with the same stage, step and name the last one counts.
func (r *Recorder) publish(ctx context.Context, step int64, rows []schemas.Metric) {
	rec, err := schemas.Metrics().Encode(memory.DefaultAllocator, rows)
	if err == nil {
		defer rec.Release()
		err = r.sink.Write(ctx, rec, fmt.Sprintf("%s/%d/%d", r.stage, step, time.Now().UnixNano()))
	}
	if err != nil && ctx.Err() == nil {
		r.log.Warn("metrics stream", "error", err)
	}
}

// close lets go of the file.
func (r *Recorder) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// appendLines writes rows to a JSON lines file in one call, so that a crash leaves whole lines.
func appendLines(f *os.File, rows []schemas.Metric) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	for _, m := range rows {
		line := struct {
			Time  time.Time `json:"time"`
			Stage string    `json:"stage"`
			Step  int64     `json:"step"`
			Name  string    `json:"name"`
			Value float64   `json:"value"`
		}{m.Time, m.Stage, m.Step, m.Name, m.Value}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	_, err := f.WriteString(b.String())
	return err
}

// openMetricsFile opens DIR/metrics-STAGE.jsonl for appending.
func openMetricsFile(dir, stage string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("metrics file: %w", err)
	}
	name := "metrics-" + strings.ReplaceAll(stage, " ", "-") + ".jsonl"
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("metrics file: %w", err)
	}
	return f, nil
}

// gauges shows the newest value of each metric to Prometheus, as openrs_<name>, with slashes as
// underscores.
type gauges struct {
	registry *prometheus.Registry
	byName   map[string]prometheus.Gauge
	server   *http.Server
}

// serveGauges listens on addr until close.
func serveGauges(addr string, log *slog.Logger) (*gauges, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--metrics-addr %s: %w", addr, err)
	}
	g := &gauges{registry: prometheus.NewRegistry(), byName: map[string]prometheus.Gauge{}}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(g.registry, promhttp.HandlerOpts{}))
	g.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := g.server.Serve(listener); err != nil && err != http.ErrServerClosed {
			log.Warn("metrics server", "error", err)
		}
	}()
	log.Info("serving metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	return g, nil
}

func (g *gauges) set(rows []schemas.Metric) {
	for _, m := range rows {
		gauge := g.byName[m.Name]
		if gauge == nil {
			gauge = prometheus.NewGauge(prometheus.GaugeOpts{
				Name:        "openrs_" + metricName(m.Name),
				Help:        m.Name,
				ConstLabels: prometheus.Labels{"stage": m.Stage},
			})
			if g.registry.Register(gauge) != nil {
				continue // two names that differ in punctuation only: the first keeps the place
			}
			g.byName[m.Name] = gauge
		}
		gauge.Set(m.Value)
	}
}

// metricName replaces what Prometheus does not allow in a name.
func metricName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name)
}
