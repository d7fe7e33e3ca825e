package schemas

import "github.com/apache/arrow/go/v17/arrow"

// Reasons why a completion ended: the values of finish_reason.
const (
	FinishStop   = "stop"   // the model sampled a stop token
	FinishLength = "length" // the limit on tokens was reached
	FinishError  = "error"  // no completion could be made; the row only keeps its group complete
)

// FinishReasons are the values of finish_reason in the order of the dictionary that is written.
func FinishReasons() []string { return []string{FinishStop, FinishLength, FinishError} }

// Rollout is one completion of a problem: one row of kind rollouts.
type Rollout struct {
	GroupID       string    // a problem at a step: rows of a group are next to each other
	ProblemID     string    // as in [Problem]
	Source        string    // as in [Problem]
	Problem       string    // as in [Problem]
	Answer        string    // as in [Problem]
	Sample        int32     // number within the group, from 0
	Step          int64     // the optimizer step that it is meant for
	PolicyVersion int64     // the weights that it was sampled from
	PromptIDs     []int32   // the prompt's tokens
	CompletionIDs []int32   // the sampled tokens, with the stop token when one was sampled
	LogProbs      []float32 // nats, one for each of CompletionIDs, under softmax(logits / Temperature), before top-p, top-k and min-p
	Completion    string    // the completion as text
	FinishReason  string    // [FinishStop], [FinishLength] or [FinishError]
	Temperature   float32   // of sampling; 1 for greedy
	Seed          int64     // of the random numbers
}

// Rollouts is the table of kind rollouts.
func Rollouts() Table[Rollout] {
	return newTable(KindRollouts, rolloutColumns())
}

func rolloutColumns() []column[Rollout] {
	return []column[Rollout]{
		textColumn("group_id", func(r *Rollout) *string { return &r.GroupID }),
		textColumn("problem_id", func(r *Rollout) *string { return &r.ProblemID }),
		textColumn("source", func(r *Rollout) *string { return &r.Source }),
		textColumn("problem", func(r *Rollout) *string { return &r.Problem }),
		textColumn("answer", func(r *Rollout) *string { return &r.Answer }),
		valueColumn("sample", arrow.PrimitiveTypes.Int32, func(r *Rollout) *int32 { return &r.Sample }),
		valueColumn("step", arrow.PrimitiveTypes.Int64, func(r *Rollout) *int64 { return &r.Step }),
		valueColumn("policy_version", arrow.PrimitiveTypes.Int64, func(r *Rollout) *int64 { return &r.PolicyVersion }),
		listColumn("prompt_ids", arrow.PrimitiveTypes.Int32, required, func(r *Rollout) *[]int32 { return &r.PromptIDs }),
		listColumn("completion_ids", arrow.PrimitiveTypes.Int32, required, func(r *Rollout) *[]int32 { return &r.CompletionIDs }),
		listColumn("logprobs", arrow.PrimitiveTypes.Float32, required, func(r *Rollout) *[]float32 { return &r.LogProbs }),
		textColumn("completion", func(r *Rollout) *string { return &r.Completion }),
		choiceColumn("finish_reason", FinishReasons(), func(r *Rollout) *string { return &r.FinishReason }),
		valueColumn("temperature", arrow.PrimitiveTypes.Float32, func(r *Rollout) *float32 { return &r.Temperature }),
		valueColumn("seed", arrow.PrimitiveTypes.Int64, func(r *Rollout) *int64 { return &r.Seed }),
	}
}
