package refine

import (
	"context"
	"runtime"

	"openrs/curate/rows"
)

// Each looks at the rows of a result's first epoch: work in parallel, take in their order.
func Each[T any](ctx context.Context, r *Result, threads int, work func(*rows.Row) T, take func(*rows.Row, T) error) error {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	type chunk struct {
		items []*item
		found []T
	}
	from := &again{r.spool, r.places[:r.Report.Left]}
	return ordered(ctx, threads, func() (*chunk, bool, error) {
		items, ok, err := from.chunk()
		return &chunk{items: items}, ok, err
	}, func(c *chunk) error {
		for _, it := range c.items {
			c.found = append(c.found, work(it.row))
		}
		return nil
	}, func(c *chunk) error {
		for i, it := range c.items {
			if err := take(it.row, c.found[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
