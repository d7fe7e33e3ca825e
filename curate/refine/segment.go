package refine

import (
	"context"

	"openrs/curate/load"
	"openrs/curate/rows"
	"openrs/curate/step"
)

// segment is steps up to and with an arranger.
type segment struct {
	steps    []step.Step // filters and judges
	arranger *step.Step  // nil in the last one
}

// cut cuts a list of steps behind each arranger.
func cut(steps []step.Step) []segment {
	all := []segment{{}}
	for i := range steps {
		last := &all[len(all)-1]
		if steps[i].Arranger == nil {
			last.steps = append(last.steps, steps[i])
			continue
		}
		last.arranger = &steps[i]
		all = append(all, segment{})
	}
	return all
}

// segments runs all segments, and returns where the rows lie that are left, in their order.
func (r *run) segments(ctx context.Context) ([]rows.Place, error) {
	var places []rows.Place
	for i, s := range cut(r.opt.Steps) {
		var err error
		switch {
		case i == 0:
			from := &reader{files: r.opt.Files, told: func(file int, s load.Summary) { r.files[file] = FileReport{r.opt.Files[file].Path, s} }}
			places, err = r.segment(ctx, s, from.chunk, true)
			if from.from != nil {
				from.from.Close() // after an error
			}
		case len(s.steps) > 0 || s.arranger != nil:
			places, err = r.segment(ctx, s, (&again{r.spool, places}).chunk, false)
		}
		if err != nil {
			return nil, err
		}
	}
	return places, nil
}

// segment puts rows through one segment.
func (r *run) segment(ctx context.Context, s segment, read func() ([]*item, bool, error), fresh bool) ([]rows.Place, error) {
	var places []rows.Place
	work := func(chunk []*item) error {
		for _, it := range chunk {
			if it.reason != "" {
				continue
			}
			if fresh {
				it.encoded = rows.Append(nil, it.row)
			}
			if err := it.work(s.steps); err != nil {
				return err
			}
		}
		return nil
	}
	take := func(chunk []*item) error {
		for i, it := range chunk {
			if fresh {
				if gone, err := r.enter(it); gone || err != nil {
					if err != nil {
						return err
					}
					continue
				}
			}
			stays, err := r.judge(s, it)
			if err != nil {
				return err
			}
			if stays {
				at, err := r.spool.Keep(it.row)
				if err != nil {
					return err
				}
				places = append(places, at)
			}
			chunk[i] = nil // what is done with need not wait for the rest
		}
		return nil
	}
	if err := ordered(ctx, r.opt.Threads, read, work, take); err != nil {
		return nil, err
	}
	if s.arranger == nil {
		return places, nil
	}
	return r.arrange(s.arranger, places)
}

// enter takes a row in that was just read: it is counted, and kept as it is unless it is no problem or one
// that came before.
func (r *run) enter(it *item) (gone bool, err error) {
	r.read++
	from := r.source(it.row.Source)
	from.Read++
	from.Left++ // until it is lost
	if it.reason != "" {
		return true, r.lose(it.row, Reading, step.Removal{Reason: it.reason, Detail: it.detail, Row: -1})
	}
	at := rows.Place(0)
	other, first := r.first(it.row)
	if first {
		if at, err = r.spool.KeepEncoded(it.row, it.encoded); err != nil {
			return false, err
		}
	}
	r.origin = append(r.origin, at)
	it.encoded = nil
	if !first {
		return true, r.lose(it.row, Reading, step.Removal{Reason: load.Repeated, Row: other})
	}
	return false, nil
}

// work does what can be done with a row alone: all filters up to the first that removes it, and what the
// judges among them prepare.
func (it *item) work(steps []step.Step) error {
	it.at = len(steps)
	for i := range steps {
		s := &steps[i]
		if !s.Sees(it.row.Source) {
			continue
		}
		if s.Judge != nil {
			if it.prepared == nil {
				it.prepared = make([]any, len(steps))
			}
			it.prepared[i] = s.Judge.Prepare(it.row)
			continue
		}
		removal, err := s.Filter.Look(it.row)
		if err != nil {
			return stepError(s, err)
		}
		if removal != nil {
			it.at, it.removal = i, removal
			return nil
		}
	}
	return nil
}

// judge lets the judges of a segment decide, in the order of steps, about a row that the filters before
// them have left in, counts, and hands it to the arranger. It tells whether the row stays.
func (r *run) judge(s segment, it *item) (stays bool, err error) {
	defer it.row.Forget()
	for i := range s.steps {
		t := r.tally(s.steps[i].Label)
		t.in++
		removal := (*step.Removal)(nil)
		if i == it.at {
			removal = it.removal
		} else if s.steps[i].Judge != nil && s.steps[i].Sees(it.row.Source) {
			if removal, err = s.steps[i].Judge.Decide(it.row, it.prepared[i]); err != nil {
				return false, stepError(&s.steps[i], err)
			}
		}
		if removal != nil {
			return false, r.lose(it.row, s.steps[i].Label, *removal)
		}
	}
	if s.arranger == nil {
		return true, nil
	}
	r.tally(s.arranger.Label).in++
	removal, err := s.arranger.Arranger.Take(it.row)
	if err != nil {
		return false, stepError(s.arranger, err)
	}
	if removal != nil {
		return false, r.lose(it.row, s.arranger.Label, *removal)
	}
	return true, nil
}

// arrange puts the rows of a segment into their order.
func (r *run) arrange(s *step.Step, places []rows.Place) ([]rows.Place, error) {
	order, left, err := s.Arranger.Arrange()
	if err != nil {
		return nil, stepError(s, err)
	}
	for _, l := range left {
		row, err := r.spool.Read(places[l.Number])
		if err != nil {
			return nil, err
		}
		if err := r.lose(row, s.Label, l.Removal); err != nil {
			return nil, err
		}
	}
	arranged := make([]rows.Place, len(order))
	for i, n := range order {
		arranged[i] = places[n]
	}
	return arranged, nil
}
