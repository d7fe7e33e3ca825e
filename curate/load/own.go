package load

import (
	"maps"
	"math"

	"openrs/schemas"
	"openrs/stages"
)

// isOwn tells whether a row is one of a problems table that this project has
// written: what such rows say of themselves is carried on.
func isOwn(row map[string]any) bool {
	id, ok := row["problem_id"].(string)
	return ok && len(id) == len(schemas.ProblemID("", ""))
}

// carryOn takes difficulty, prompt and metadata of an own row, so that several
// runs of curate do what one would have done; "row" and "id" go on pointing to
// where the problem was read first. Which samples of it a benchmark's row asks
// for is forgotten: here it is a problem like others.
func carryOn(p *schemas.Problem, row map[string]any) {
	if d, ok := row["difficulty"].(float64); ok && !math.IsNaN(d) {
		x := float32(d)
		p.Difficulty = &x
		delete(p.Metadata, "difficulty")
	}
	if ids, ok := row["prompt_ids"].([]any); ok {
		p.PromptIDs = make([]int32, 0, len(ids))
		for _, v := range ids {
			id, ok := v.(int64)
			if !ok || id < 0 || id > math.MaxInt32 {
				p.PromptIDs = nil
				break
			}
			p.PromptIDs = append(p.PromptIDs, int32(id))
		}
	}
	if meta, ok := row["metadata"].(map[string]any); ok {
		m := maps.Clone(p.Metadata)
		for k, v := range meta {
			if text, ok := v.(string); ok && k != stages.MetaSample && k != stages.MetaSamples {
				m[k] = text
			}
		}
		p.Metadata = m
	}
}
