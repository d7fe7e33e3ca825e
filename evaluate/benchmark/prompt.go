package benchmark

import (
	"fmt"
	"strings"

	"openrs/stages/suggest"
)

// Names of prompts that the table and other packages refer to.
const (
	Lighteval    = "lighteval"
	OpenRSTrain  = "open-rs-train"
	OpenRSBase   = "open-rs-train-base"
	Boxed        = "boxed"
	Plain        = "plain"
	questionMark = "{Question}"
)

// Prompt is what the model is told besides the question. The user's message is
// rendered into the problem's text. A system message can't be: who writes rows
// for generate puts it into their metadata (stages.MetaSystem), as `evaluate
// problems` and `evaluate run` do; other programs get it by `evaluate prompts
// --name`.
type Prompt struct {
	Name    string
	Summary string // one line for --help, with the source of the wording
	System  string // system message; "" for none
	// Math and Choice are the user's messages for questions with an answer to
	// find and for questions with options. {Question} and {A} to {D} stand for
	// the question and its options.
	Math, Choice string
}

// options lists the options as every prompt here does.
const options = "\n\nA) {A}\nB) {B}\nC) {C}\nD) {D}"

// trainBase is the system message of the study's recipe but for its last
// sentence. The braces are doubled in the published recipe, where nothing
// halves them again: this is what the model was trained with.
const trainBase = `A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user with the answer, and put your final answer within \boxed{{}} . The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>.`

// Prompts returns every prompt. The wording is that of the sources, to the
// space.
func Prompts() []Prompt {
	return []Prompt{
		{
			Name:    Lighteval,
			Summary: "lighteval's wording, as open-rs and most others evaluated with (open-rs src/open_r1/evaluate.py; no system message)",
			Math: `Solve the following math problem efficiently and clearly.  The last line of your response should be of the following format: 'Therefore, the final answer is: $\boxed{ANSWER}$. I hope it is correct' (without quotes) where ANSWER is just the final number or expression that solves the problem. Think step by step before answering.` +
				"\n\n" + questionMark,
			Choice: `Answer the following multiple choice question. The last line of your response should be of the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think step by step before answering.` +
				"\n\n" + questionMark + options,
		},
		{
			Name:    OpenRSTrain,
			Summary: "as open-rs trained in its third experiment (open-rs recipes/grpo.yaml): the bare question, and a system message that also asks for English",
			System:  trainBase + ` Note that respond by English, NOT use other languages.`,
			Math:    questionMark, Choice: questionMark + options,
		},
		{
			Name:    OpenRSBase,
			Summary: "the same without the sentence about English, as the first two experiments are described",
			System:  trainBase,
			Math:    questionMark, Choice: questionMark + options,
		},
		{
			Name:    Boxed,
			Summary: "the question and the sentence that DeepSeek recommends for its R1 models, no system message",
			Math:    questionMark + "\n" + `Please reason step by step, and put your final answer within \boxed{}.`,
			Choice:  questionMark + options + "\n" + `Please reason step by step, and put the letter of your final answer within \boxed{}.`,
		},
		{
			Name:    Plain,
			Summary: "the question alone",
			Math:    questionMark, Choice: questionMark + options,
		},
	}
}

// PromptNames returns the name of every prompt.
func PromptNames() []string {
	var names []string
	for _, p := range Prompts() {
		names = append(names, p.Name)
	}
	return names
}

// LookupPrompt finds a prompt by name, or fails with ErrPrompt and the names that
// there are.
func LookupPrompt(name string) (Prompt, error) {
	for _, p := range Prompts() {
		if p.Name == name {
			return p, nil
		}
	}
	return Prompt{}, fmt.Errorf("%w %q%s: want one of %s", ErrPrompt, name, suggest.From(name, PromptNames()), strings.Join(PromptNames(), ", "))
}

// Render is the user's message for a question, with its options in the order
// in which they are to be shown, or none.
func (p Prompt) Render(question string, choices []string) string {
	if len(choices) == 0 {
		return strings.Replace(p.Math, questionMark, question, 1)
	}
	pairs := []string{questionMark, question}
	for i, c := range choices {
		pairs = append(pairs, "{"+letter(i)+"}", c)
	}
	// One pass: what a question has in braces is not a place of the template.
	return strings.NewReplacer(pairs...).Replace(p.Choice)
}

// letter is the name of option i: A, B, C, D.
func letter(i int) string { return string(rune('A' + i)) }

// unrender takes the longest wording off that is around a question. A text
// that no prompt made stays as it is.
func unrender(problem string) string {
	best := problem
	for _, p := range Prompts() {
		before, after, _ := strings.Cut(p.Math, questionMark)
		q, ok := strings.CutPrefix(problem, before)
		if !ok {
			continue
		}
		if q, ok = strings.CutSuffix(q, after); ok && len(q) < len(best) {
			best = q
		}
	}
	return best
}
