package rollout

// Plan is the rule by which steps and policies follow from the order of the problems.
type Plan struct {
	GroupsPerStep int64 // problems whose groups make one optimizer step
	MaxLag        int64 // how many versions the sampling policy may be behind; 0 is on-policy
}

// Step is the optimizer step that the group of the problem with this number, from 0, is meant for.
func (p Plan) Step(problem int64) int64 { return problem / p.GroupsPerStep }

// Version is the policy that the groups of a step are sampled from: with lag 0 exactly the weights
// that the step will update.
func (p Plan) Version(step int64) int64 { return max(0, step-p.MaxLag) }
