package rows

import (
	"openrs/curate/similar"
	"openrs/schemas"
)

// Row is one problem on its way through the steps.
type Row struct {
	schemas.Problem
	Num  int   // its number among the problems read, from 0
	File int   // the number of its file, from 0
	Line int64 // its number in the file, from 1

	place   Place // of this state of the row in the spool
	changed bool  // since it was spooled
	text    *similar.Text
}

// Text is the row's problem, prepared for comparisons: once for all steps, since no step changes it.
func (r *Row) Text() *similar.Text {
	if r.text == nil {
		r.text = similar.Prepare(r.Problem.Problem)
	}
	return r.text
}

// Forget lets go of what Text has prepared.
func (r *Row) Forget() { r.text = nil }

// Change marks the row as changed: a step that writes to the row's problem must say so.
func (r *Row) Change() { r.changed = true }

// SetMeta sets one key of the row's metadata.
func (r *Row) SetMeta(key, value string) {
	m := make(map[string]string, len(r.Metadata)+1)
	for k, v := range r.Metadata {
		m[k] = v
	}
	m[key] = value
	r.Metadata = m
	r.Change()
}
