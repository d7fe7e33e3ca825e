package stage

import (
	"errors"

	"openrs/score/answer"
	"openrs/stages"
)

// Verify adds to a line with the strings gold and prediction: correct, reason, extracted, gold_parsed
// and prediction_parsed. An unreadable gold answer is not correct, with the reason.
func Verify(line stages.Object) error {
	var gold, prediction string
	if err := line.Get("gold", "a string", &gold); err != nil {
		return err
	}
	if err := line.Get("prediction", "a string", &prediction); err != nil {
		return err
	}
	v, err := answer.Verify(gold, prediction)
	if errors.Is(err, answer.ErrGold) {
		v.Reason, err = err.Error(), nil
	}
	if err != nil {
		return err
	}
	for key, value := range map[string]any{
		"correct": v.Equal, "reason": v.Reason, "extracted": v.Extracted,
		"gold_parsed": v.GoldParsed, "prediction_parsed": v.PredictionParsed,
	} {
		if err := line.Set(key, value); err != nil {
			return err
		}
	}
	return nil
}
