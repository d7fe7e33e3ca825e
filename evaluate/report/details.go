package report

import (
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"openrs/schemas"
)

// detail is one row of lighteval's details_TASK_DATE.parquet: a problem with all of its samples.
type detail struct {
	Doc    detailDoc      `parquet:"doc"`
	Metric detailMetric   `parquet:"metric"`
	Model  detailResponse `parquet:"model_response"`
}

// detailDoc is what lighteval calls a Doc, without what is always empty here.
type detailDoc struct {
	Query      string   `parquet:"query"`
	Choices    []string `parquet:"choices,list"`
	GoldIndex  []int64  `parquet:"gold_index,list"`
	ID         string   `parquet:"id"`
	TaskName   string   `parquet:"task_name"`
	NumSamples int64    `parquet:"num_samples"`
}

type detailMetric struct {
	ExtractiveMatch *float64 `parquet:"extractive_match,optional"` // mean over the samples; null: none was judged
}

// detailResponse is what lighteval calls a ModelResponse. The last three columns are ours.
type detailResponse struct {
	Input        *string   `parquet:"input,optional"`
	InputTokens  []int64   `parquet:"input_tokens,list"`
	Text         []string  `parquet:"text,list"`
	OutputTokens [][]int64 `parquet:"output_tokens,list"`
	Extracted    []string  `parquet:"extracted,list"`
	Outcomes     []string  `parquet:"outcomes,list"`
	Reasons      []string  `parquet:"reasons,list"`
}

// WriteDetails writes the i-th model's problems of a task as lighteval's detail files have them.
func (r *Report) WriteDetails(w io.Writer, model int, task string) error {
	a := r.answers[model]
	verdicts := make(map[*schemas.Scored]verdict, len(a.rows))
	for i, row := range a.rows {
		verdicts[row] = a.verdicts[i]
	}
	out := parquet.NewGenericWriter[detail](w, parquet.Compression(&zstd.Codec{}))
	for _, rows := range a.byProblem(task) {
		first := rows[0]
		d := detail{Doc: detailDoc{
			Query: valid(first.Problem), Choices: []string{valid(first.Answer)}, GoldIndex: []int64{0},
			ID: valid(first.ProblemID), TaskName: r.taskKey(task), NumSamples: int64(len(rows)),
		}}
		d.Model.InputTokens = wide(first.PromptIDs)
		if r.options.Prompt != nil {
			d.Model.Input = new(valid(r.options.Prompt(first.PromptIDs)))
		}
		right, judged := 0.0, 0.0
		for _, row := range rows {
			v := verdicts[row]
			d.Model.Text = append(d.Model.Text, valid(row.Completion))
			d.Model.OutputTokens = append(d.Model.OutputTokens, wide(row.CompletionIDs))
			d.Model.Extracted = append(d.Model.Extracted, valid(text(row.Extracted)))
			d.Model.Outcomes = append(d.Model.Outcomes, v.outcome.spec().Key)
			d.Model.Reasons = append(d.Model.Reasons, valid(v.reason))
			if row.Correct != nil {
				judged++
				right += indicator(*row.Correct)
			}
		}
		if judged > 0 {
			d.Metric.ExtractiveMatch = new(right / judged)
		}
		if _, err := out.Write([]detail{d}); err != nil {
			return err
		}
	}
	return out.Close()
}

func wide(ids []int32) []int64 {
	out := make([]int64, len(ids))
	for i, id := range ids {
		out[i] = int64(id)
	}
	return out
}
