package report

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"openrs/schemas"
)

// Lighteval writes results_DATE.json with these keys (its evaluation_tracker.py and info_loggers.py, version
// 0.12): what its readers look up is here under the same names and with the same meaning.

// lightevalResults is such a file.
type lightevalResults struct {
	General  map[string]any             `json:"config_general"`
	Results  map[string]lightevalScores `json:"results"`
	Versions map[string]int             `json:"versions"`
	Tasks    map[string]map[string]any  `json:"config_tasks"`
	Summary  map[string]lightevalDetail `json:"summary_tasks"`
	Overall  lightevalDetail            `json:"summary_general"`
}

// lightevalScores are a task's metrics, each with its NAME_stderr when there are two problems or more.
type lightevalScores map[string]float64

type lightevalDetail struct {
	Hashes       map[string]string `json:"hashes"`
	Truncated    int               `json:"truncated"` // prompts, not completions; a prompt that does not fit is refused here
	NonTruncated int               `json:"non_truncated"`
	Padded       int               `json:"padded"`
	NonPadded    int               `json:"non_padded"`
}

// taskKey is a task as lighteval names it: with the number of examples in the prompt.
func (r *Report) taskKey(task string) string {
	key := strings.ReplaceAll(task, "|", ":") + "|0"
	if r.options.Suite != "" {
		key = r.options.Suite + "|" + key
	}
	return key
}

// WriteLighteval writes the results of the i-th model in the form of lighteval's results_DATE.json.
func (r *Report) WriteLighteval(w io.Writer, model int) error {
	m, a := r.Models[model], r.answers[model]
	out := lightevalResults{
		General: r.generalConfig(m, a), Results: map[string]lightevalScores{}, Versions: map[string]int{},
		Tasks: map[string]map[string]any{}, Summary: map[string]lightevalDetail{},
	}
	for _, t := range m.Tasks {
		key := r.taskKey(t.Name)
		out.Results[key] = scores(t.Figures)
		out.Versions[key] = 0
		out.Tasks[key] = taskConfig(t, a)
		out.Summary[key] = a.summary(t.Name)
	}
	averages(out.Results)
	out.Overall = overall(out.Summary)
	return writeJSON(w, out)
}

// scores are a task's metrics under lighteval's names: extractive_match as in its mathematics tasks up
// to 0.8 and in open-rs' own, then avg@n, pass@k and maj@n with their parameters, as since 0.11.
func scores(f Figures) lightevalScores {
	s := lightevalScores{}
	put := func(name string, e Estimate) {
		if !e.Mean.finite() {
			return
		}
		s[name] = float64(e.Mean)
		if e.SE.finite() {
			s[name+"_stderr"] = float64(e.SE)
		}
	}
	put("extractive_match", f.Accuracy)
	n := f.SamplesPerProblem[0]
	put("avg@n:n="+strconv.Itoa(n), f.Accuracy)
	put(fmt.Sprintf("pass@k:k=1&n=%d", n), f.Accuracy)
	for name, e := range f.Estimates {
		kind, k, _ := strings.Cut(name, "@")
		switch kind {
		case "pass":
			put(fmt.Sprintf("pass@k:k=%s&n=%d", k, n), e)
		case "maj":
			put("maj@n:n="+k, e)
		}
	}
	return s
}

// averages adds what lighteval adds: NAME:_average for tasks with parts, and all. Its standard errors
// there are plain means of the tasks', which is more than the error of the mean; report.json has that.
func averages(results map[string]lightevalScores) {
	groups := make(map[string][]lightevalScores)
	for _, key := range slices.Sorted(maps.Keys(results)) {
		task, shots, _ := strings.Cut(key, "|")
		if before, after, found := cutLast(key, "|"); found {
			task, shots = before, after
		}
		if part, _, has := strings.Cut(task, ":"); has {
			groups[part+":_average|"+shots] = append(groups[part+":_average|"+shots], results[key])
		}
		groups["all"] = append(groups["all"], results[key])
	}
	if groups["all"] == nil {
		groups["all"] = []lightevalScores{}
	}
	for key, members := range groups {
		if key != "all" && len(members) < 2 {
			continue
		}
		mean, n := lightevalScores{}, map[string]float64{}
		for _, s := range members {
			for name, v := range s {
				mean[name] += v
				n[name]++
			}
		}
		for name := range mean {
			mean[name] /= n[name]
		}
		results[key] = mean
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// generalConfig is config_general.
func (r *Report) generalConfig(m Model, a *answers) map[string]any {
	generation := map[string]any{"temperature": nil, "seed": nil, "max_new_tokens": nil}
	if len(a.rows) > 0 {
		generation["temperature"], generation["seed"] = shortest(a.rows[0].Temperature), a.rows[0].Seed
	}
	settings := map[string]string{}
	for _, s := range r.Settings {
		settings[s.Name] = s.Value
	}
	end := 0.0
	if !r.options.Date.IsZero() {
		end = float64(r.options.Date.UnixMilli()) / 1000
	}
	seconds := 0.0
	if r.Seconds.finite() {
		seconds = float64(r.Seconds)
	}
	return map[string]any{
		"lighteval_sha": "?", // not made by lighteval
		"made_by":       "openrs", "settings": settings, "answer_profile": m.Profile,
		"num_fewshot_seeds": 1, "max_samples": nil, "job_id": "",
		"start_time": end - seconds, "end_time": end, "total_evaluation_time_secondes": strconv.FormatFloat(seconds, 'f', -1, 64),
		"model_config": map[string]any{"model_name": m.Name, "generation_parameters": generation},
		"model_name":   m.Name, "model_sha": "", "model_dtype": nil, "model_size": nil,
	}
}

// shortest is a float32 as people wrote it: 0.6, not 0.6000000238.
func shortest(v float32) any {
	f, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil || !Number(f).finite() {
		return nil
	}
	return f
}

// taskConfig is a task's entry in config_tasks, as far as there is such a thing here.
func taskConfig(t Task, a *answers) map[string]any {
	var metrics []map[string]any
	for _, name := range slices.Sorted(maps.Keys(scores(t.Figures))) {
		if !strings.HasSuffix(name, "_stderr") {
			metrics = append(metrics, map[string]any{
				"metric_name": name, "higher_is_better": true, "category": "GENERATIVE", "sample_level_fn": "compute", "corpus_level_fn": "mean",
			})
		}
	}
	return map[string]any{
		"name": t.Name, "prompt_function": t.Name, "hf_repo": "", "hf_subset": "default", "metric": metrics, "metrics": metrics,
		"hf_revision": nil, "hf_filter": nil, "hf_avail_splits": []string{"test"}, "evaluation_splits": []string{"test"},
		"few_shots_split": nil, "few_shots_select": nil, "num_fewshots": 0, "generation_size": nil, "generation_grammar": nil,
		"stop_sequence": []string{}, "num_samples": []int{t.SamplesPerProblem[1]}, "suite": []string{"openrs"},
		"original_num_docs": a.count(t.Name), "effective_num_docs": t.Problems, "must_remove_duplicate_docs": false, "version": 0,
	}
}

// count is the number of problems of a task, judged or not.
func (a *answers) count(task string) int {
	n := 0
	for _, p := range a.problems {
		if p.task == task {
			n++
		}
	}
	return n
}

// summary is a task's entry in summary_tasks. Its hashes are lighteval's: equal ones say that two
// evaluations had the same questions, prompts and completions, token by token.
func (a *answers) summary(task string) lightevalDetail {
	var examples, inputs, outputs []string
	var detail lightevalDetail
	for _, rows := range a.byProblem(task) {
		examples = append(examples, hash(rows[0].Problem))
		inputs = append(inputs, hash(python(rows[0].PromptIDs)))
		tokens := make([]string, len(rows))
		for i, row := range rows {
			tokens[i] = python(row.CompletionIDs)
		}
		outputs = append(outputs, hash("["+strings.Join(tokens, ", ")+"]"))
		detail.NonTruncated++
		detail.NonPadded++
	}
	detail.Hashes = map[string]string{
		"hash_examples": hashAll(examples), "hash_full_prompts": hashAll(nil),
		"hash_input_tokens": hashAll(inputs), "hash_cont_tokens": hashAll(outputs),
	}
	return detail
}

// byProblem are a task's rows by problem, in order.
func (a *answers) byProblem(task string) [][]*schemas.Scored {
	var out [][]*schemas.Scored
	last := ""
	for _, row := range a.rows {
		if taskOf(row.Source) != task {
			continue
		}
		if len(out) == 0 || row.ProblemID != last {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], row)
		last = row.ProblemID
	}
	return out
}

func overall(tasks map[string]lightevalDetail) lightevalDetail {
	sum := lightevalDetail{Hashes: map[string]string{}}
	for _, kind := range []string{"hash_examples", "hash_full_prompts", "hash_input_tokens", "hash_cont_tokens"} {
		var all strings.Builder
		for _, key := range slices.Sorted(maps.Keys(tasks)) {
			all.WriteString(tasks[key].Hashes[kind])
		}
		sum.Hashes[kind] = hash(all.String())
	}
	for _, t := range tasks {
		sum.NonTruncated += t.NonTruncated
		sum.NonPadded += t.NonPadded
	}
	return sum
}

func hash(s string) string {
	sum := xxhash.Sum64String(s)
	var b [8]byte
	for i := range b {
		b[i] = byte(sum >> (56 - 8*i))
	}
	return hex.EncodeToString(b[:])
}

func hashAll(hashes []string) string {
	slices.Sort(hashes)
	return hash(strings.Join(hashes, ""))
}

// python writes tokens as Python writes a list of them.
func python(ids []int32) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(int(id)))
	}
	b.WriteByte(']')
	return b.String()
}

// date is the time in the names of lighteval's files.
func (r *Report) date() string {
	t := r.options.Date
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return strings.ReplaceAll(t.UTC().Format("2006-01-02T15:04:05.000000"), ":", "-")
}

// modelFolder is the folder of a model's files below results and details. Slashes in its name make
// folders, as an organisation's does; nothing in it leads out of them.
func modelFolder(name string) string {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		part = strings.Map(func(c rune) rune {
			if c < ' ' || c == '\\' || c == 0x7f || c == '\uFFFD' {
				return '_'
			}
			return c
		}, part)
		switch {
		case part == "":
			continue
		case strings.Trim(part, ".") == "":
			part = strings.Repeat("_", len(part))
		case len(part) > 100:
			part = part[:80] + "-" + hash(part)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "model"
	}
	return filepath.Join(parts...)
}
