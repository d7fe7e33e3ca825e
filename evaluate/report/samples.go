package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"openrs/schemas"
)

// SampleRow is one line of samples.parquet: one sample of one model, with all that is known of it.
type SampleRow struct {
	Model         string   `parquet:"model,dict"`
	Task          string   `parquet:"task,dict"`
	ProblemID     string   `parquet:"problem_id,dict"`
	Problem       string   `parquet:"problem,dict"`
	Prompt        *string  `parquet:"prompt,optional,dict"` // as the model got it; null when its tokens were not turned into text
	Completion    string   `parquet:"completion"`
	Extracted     *string  `parquet:"extracted,optional"` // null: no answer was found
	Gold          string   `parquet:"gold,dict"`
	Correct       *bool    `parquet:"correct,optional"` // null: not judged
	Outcome       string   `parquet:"outcome,dict"`     // right, wrong, undecided, unreadable, no_answer, truncated, unjudged or failed
	Reason        string   `parquet:"reason,dict"`
	FinishReason  string   `parquet:"finish_reason,dict"`
	PromptTokens  int32    `parquet:"prompt_tokens"`
	Tokens        int32    `parquet:"completion_tokens"`
	Characters    int32    `parquet:"completion_characters"`
	Sample        int32    `parquet:"sample"`
	Seed          int64    `parquet:"seed"`
	Temperature   float32  `parquet:"temperature"`
	PolicyVersion int64    `parquet:"policy_version"`
	Reward        *float32 `parquet:"reward,optional"`
	GroupID       string   `parquet:"group_id"`
}

// WriteSamples writes every sample of every model as Parquet, by model, problem and sample.
func (r *Report) WriteSamples(w io.Writer) error {
	out := parquet.NewGenericWriter[SampleRow](w, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("openrs", fmt.Sprint(schemas.Version), ""))
	batch := make([]SampleRow, 0, 256)
	bytes := 0
	flush := func(group bool) error {
		if _, err := out.Write(batch); err != nil {
			return err
		}
		batch = batch[:0]
		if group {
			bytes = 0
			return out.Flush()
		}
		return nil
	}
	for _, a := range r.answers {
		for i, row := range a.rows {
			batch = append(batch, r.sampleRow(a, row, a.verdicts[i]))
			if bytes += len(row.Completion) + len(row.Problem); len(batch) == cap(batch) {
				// A row group is held in memory until it is written.
				if err := flush(bytes > 64<<20); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(false); err != nil {
		return err
	}
	return out.Close()
}

func (r *Report) sampleRow(a *answers, row *schemas.Scored, v verdict) SampleRow {
	s := SampleRow{
		Model: valid(a.name), Task: valid(taskOf(row.Source)), ProblemID: valid(row.ProblemID), Problem: valid(row.Problem),
		Completion: valid(row.Completion), Gold: valid(row.Answer), Correct: row.Correct,
		Outcome: v.outcome.spec().Key, Reason: valid(v.reason), FinishReason: row.FinishReason,
		PromptTokens: int32(len(row.PromptIDs)), Tokens: int32(len(row.CompletionIDs)), Characters: int32(len([]rune(row.Completion))),
		Sample: row.Sample, Seed: row.Seed, Temperature: row.Temperature, PolicyVersion: row.PolicyVersion,
		Reward: row.Reward, GroupID: valid(row.GroupID),
	}
	if row.Extracted != nil {
		s.Extracted = new(valid(*row.Extracted))
	}
	if r.options.Prompt != nil {
		s.Prompt = new(valid(r.options.Prompt(row.PromptIDs)))
	}
	return s
}

// valid is a text as UTF-8: what is none becomes U+FFFD, since files that claim to hold text must hold it.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
