package benchmark

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// The wording must be that of its source to the space. The hashes are of what
// Python makes of the sources: of open-rs' src/open_r1/evaluate.py, whose two
// templates sober-reasoning's lighteval_tasks.py has as well, and of the system
// prompt in open-rs' recipes/grpo.yaml.
func TestWordingIsThatOfTheSources(t *testing.T) {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])[:16]
	}
	const question = "What is $1+1$?"
	lighteval, err := LookupPrompt(Lighteval)
	if err != nil {
		t.Fatal(err)
	}
	train, err := LookupPrompt(OpenRSTrain)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ text, want string }{
		"MATH_QUERY_TEMPLATE": {lighteval.Render(question, nil), "ea2cf11800564eb8"},
		"GPQA_QUERY_TEMPLATE": {lighteval.Render(question, []string{"one", "two", "three", "four"}), "5a116d048935f3f4"},
		"system_prompt":       {train.System, "6ad389bfba87cc15"},
	} {
		if got := hash(c.text); got != c.want {
			t.Errorf("%s: hash %s, want %s, of %q", what, got, c.want, c.text)
		}
	}
	base, err := LookupPrompt(OpenRSBase)
	if err != nil || !strings.HasPrefix(train.System, base.System) || strings.Contains(base.System, "English") {
		t.Errorf("the prompt of the first experiments is not the later one less its last sentence (%v)", err)
	}
}

// What a question has in braces is not a place of the template.
func TestRenderLeavesTheQuestionAlone(t *testing.T) {
	question := `Is {A} in {Question}, {B}, or \boxed{C}?`
	choices := []string{"{B}", "{Question}", "{D}", "$\\{D\\}$"}
	for _, p := range Prompts() {
		if got := p.Render(question, nil); strings.Count(got, question) != 1 || unrender(got) != question {
			t.Errorf("%s: %q, back to %q", p.Name, got, unrender(got))
		}
		got := p.Render(question, choices)
		for i, c := range choices {
			if !strings.Contains(got, "\n"+letter(i)+") "+c) {
				t.Errorf("%s: option %s is not in %q", p.Name, letter(i), got)
			}
		}
		if !strings.Contains(got, question) {
			t.Errorf("%s: the question is not in %q", p.Name, got)
		}
	}
	if got := unrender("no prompt at all"); got != "no prompt at all" {
		t.Errorf("a bare text became %q", got)
	}
}
