package schemas

import "github.com/apache/arrow/go/v17/arrow"

// Scored is a rollout with its rewards: one row of kind scored.
type Scored struct {
	Rollout
	Rewards   map[string]float32 // each reward function's raw value, by its name
	Reward    *float32           // weighted sum; nil when the group can't be scored
	Advantage float32            // within the group; 0 where Reward is nil
	Correct   *bool              // nil when no reward looked at the answer
	Extracted *string            // the answer found in the completion; nil when there is none
}

// ScoredRollouts is the table of kind scored.
func ScoredRollouts() Table[Scored] {
	cols := make([]column[Scored], 0, 20)
	for _, c := range rolloutColumns() {
		cols = append(cols, within(c, func(r *Scored) *Rollout { return &r.Rollout }))
	}
	return newTable(KindScored, append(cols,
		numberMapColumn("rewards", func(r *Scored) *map[string]float32 { return &r.Rewards }),
		optionalColumn("reward", arrow.PrimitiveTypes.Float32, func(r *Scored) **float32 { return &r.Reward }),
		valueColumn("advantage", arrow.PrimitiveTypes.Float32, func(r *Scored) *float32 { return &r.Advantage }),
		optionalColumn("correct", arrow.FixedWidthTypes.Boolean, func(r *Scored) **bool { return &r.Correct }),
		optionalTextColumn("extracted", func(r *Scored) **string { return &r.Extracted }),
	))
}
