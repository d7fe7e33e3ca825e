package stage

import (
	"openrs/score/answer"
	"openrs/stages"
)

// Verify returns the edit of `score verify`: it adds to a line with the strings gold and prediction: correct,
// reason, extracted, gold_parsed and prediction_parsed, and with explain also candidates, the parts of the
// prediction that were looked at. An unreadable gold answer is not correct, with the reason. It may be
// called from several goroutines.
func Verify(p answer.Profile, explain bool) func(stages.Object) error {
	return func(line stages.Object) error {
		var gold, prediction string
		if err := line.Get("gold", "a string", &gold); err != nil {
			return err
		}
		if err := line.Get("prediction", "a string", &prediction); err != nil {
			return err
		}
		var v answer.Verdict
		var steps []answer.Step
		g, err := answer.ReadGold(gold, p) // its only error is ErrGold
		if err != nil {
			v.Reason = err.Error()
		} else {
			v = g.Verify(prediction)
			if explain {
				steps = g.Explain(prediction)
			}
		}
		values := map[string]any{
			"correct": v.Equal, "reason": v.Reason, "extracted": v.Extracted,
			"gold_parsed": v.GoldParsed, "prediction_parsed": v.PredictionParsed,
		}
		if explain {
			values["candidates"] = append([]answer.Step{}, steps...)
		}
		for key, value := range values {
			if err := line.Set(key, value); err != nil {
				return err
			}
		}
		return nil
	}
}
