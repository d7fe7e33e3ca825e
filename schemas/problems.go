package schemas

import "github.com/apache/arrow/go/v17/arrow"

// Problem is one problem to solve: one row of kind problems.
type Problem struct {
	ProblemID  string            // hash of source and text, see [ProblemID]
	Source     string            // the data set that it comes from
	Problem    string            // the user's message
	Solution   *string           // a worked solution; nil when there is none
	Answer     string            // the gold answer
	PromptIDs  []int32           // when not nil, the prompt's tokens, used as they are instead of rendering Problem
	Difficulty *float32          // pass rate of a reference model, 0 to 1; nil when not measured
	Metadata   map[string]string // anything else worth keeping; nil when there is none
}

// Problems is the table of kind problems.
func Problems() Table[Problem] {
	return newTable(KindProblems, []column[Problem]{
		textColumn("problem_id", func(r *Problem) *string { return &r.ProblemID }),
		textColumn("source", func(r *Problem) *string { return &r.Source }),
		textColumn("problem", func(r *Problem) *string { return &r.Problem }),
		optionalTextColumn("solution", func(r *Problem) **string { return &r.Solution }),
		textColumn("answer", func(r *Problem) *string { return &r.Answer }),
		listColumn("prompt_ids", arrow.PrimitiveTypes.Int32, nullable, func(r *Problem) *[]int32 { return &r.PromptIDs }),
		optionalColumn("difficulty", arrow.PrimitiveTypes.Float32, func(r *Problem) **float32 { return &r.Difficulty }),
		textMapColumn("metadata", func(r *Problem) *map[string]string { return &r.Metadata }),
	})
}
