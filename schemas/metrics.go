package schemas

import (
	"time"

	"github.com/apache/arrow/go/v17/arrow"
)

// Metric is one measured number: one row of kind metrics.
type Metric struct {
	Time  time.Time // kept to the microsecond, in UTC
	Stage string    // the stage that measured it
	Step  int64     // the optimizer step that it belongs to
	Name  string
	Value float64
}

// Metrics is the table of kind metrics.
func Metrics() Table[Metric] {
	return newTable(KindMetrics, []column[Metric]{
		timeColumn("time", func(r *Metric) *time.Time { return &r.Time }),
		textColumn("stage", func(r *Metric) *string { return &r.Stage }),
		valueColumn("step", arrow.PrimitiveTypes.Int64, func(r *Metric) *int64 { return &r.Step }),
		textColumn("name", func(r *Metric) *string { return &r.Name }),
		valueColumn("value", arrow.PrimitiveTypes.Float64, func(r *Metric) *float64 { return &r.Value }),
	})
}
