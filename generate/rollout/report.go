package rollout

import (
	"context"
	"time"

	"openrs/generate/engine"
	"openrs/stages"
)

// report logs how the work goes, at most every interval.
type report struct {
	began, since time.Time
	waited       time.Duration // for input and policies, since `since`
	tokens       int64         // sampled, by the last report
	groups       int
	completions  int
	truncated    int
}

const reportInterval = 10 * time.Second

func (r *report) completed(res engine.Result) {
	r.groups++
	r.completions += len(res.Completions)
	for _, c := range res.Completions {
		if c.FinishReason == engine.FinishLength {
			r.truncated++
		}
	}
}

// tick logs and records the speed since the last report.
func (r *report) tick(ctx context.Context, w *Worker) {
	elapsed := time.Since(r.since)
	if elapsed < reportInterval {
		return
	}
	stats := w.Engine.Stats()
	speed := float64(stats.SampledTokens-r.tokens) / elapsed.Seconds()
	idle := r.waited.Seconds() / elapsed.Seconds()
	w.Log.Info("sampling", "version", w.version, "groups", r.groups, "tokens_per_second", int(speed), "waiting", round2(idle))
	if w.Metrics != nil {
		w.Metrics.Record(ctx, max(0, w.version), []stages.Value{
			{Name: "generate/tokens_per_second", Value: speed},
			{Name: "generate/waiting", Value: idle},
			{Name: "generate/preemptions", Value: float64(stats.Preemptions)},
		})
	}
	r.since, r.waited, r.tokens = time.Now(), 0, stats.SampledTokens
}

// final logs the totals.
func (r *report) final(w *Worker) {
	stats := w.Engine.Stats()
	batch := 0.0
	if stats.Steps > 0 {
		batch = float64(stats.RunningSum) / float64(stats.Steps)
	}
	w.Log.Info("sampled", "groups", r.groups, "completions", r.completions, "truncated", r.truncated,
		"tokens", stats.SampledTokens, "prompt_tokens", stats.PromptTokens,
		"mean_batch", round2(batch), "preemptions", stats.Preemptions, "seconds", round2(time.Since(r.began).Seconds()))
}

func round2(x float64) float64 { return float64(int(x*100+0.5)) / 100 }
