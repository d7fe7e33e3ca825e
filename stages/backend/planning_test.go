package backend

import "testing"

func TestJob(t *testing.T) {
	for _, c := range []struct {
		context   int
		job, want Job
	}{
		{131072, Job{Groups: 12, GroupSize: 6}, Job{Groups: 12, GroupSize: 6, PromptTokens: 512, NewTokens: 3584}},
		{1024, Job{Groups: 1, GroupSize: 1}, Job{Groups: 1, GroupSize: 1, PromptTokens: 256, NewTokens: 768}},
		{1024, Job{Groups: 2, GroupSize: 3, PromptTokens: 1000, NewTokens: 24}, Job{Groups: 2, GroupSize: 3, PromptTokens: 1000, NewTokens: 24}},
	} {
		if got, err := c.job.fit(c.context); err != nil || got != c.want {
			t.Errorf("%+v in a context of %d: %+v, %v; want %+v", c.job, c.context, got, err, c.want)
		}
	}
	for _, bad := range []Job{{}, {Groups: 1}, {Groups: 1, GroupSize: 1, PromptTokens: -1}, {Groups: 1, GroupSize: 1, PromptTokens: 1000, NewTokens: 25}, {Groups: 1, GroupSize: 1, PromptTokens: 1024}} {
		if got, err := bad.fit(1024); err == nil {
			t.Errorf("%+v is taken as %+v", bad, got)
		}
	}
}
