package report

import (
	"fmt"
	"slices"
)

// notes are what is odd about the rows of several models together.
func (r *Report) notes() []string {
	var notes []string
	golds := make(map[string]string)
	conflicts := make(map[string]bool)
	temperatures := make(map[string]float32)
	mixed := false
	for _, a := range r.answers {
		for _, row := range a.rows {
			if gold, seen := golds[row.ProblemID]; seen && gold != row.Answer {
				conflicts[row.ProblemID] = true
			}
			golds[row.ProblemID] = row.Answer
			if was, seen := temperatures[row.Source]; seen && was != row.Temperature {
				mixed = true
			}
			temperatures[row.Source] = row.Temperature
		}
	}
	if len(conflicts) > 0 {
		notes = append(notes, fmt.Sprintf("%s had different gold answers in different rows: were these the same problems?", count(len(conflicts), "problem")))
	}
	if mixed {
		notes = append(notes, "the samples of a task were not all drawn at the same temperature")
	}
	for _, task := range r.tasks {
		least, most := 0, 0
		for _, m := range r.Models {
			if f := m.task(task); f != nil && f.SamplesPerProblem[1] > 0 {
				if n := f.SamplesPerProblem[1]; least == 0 || n < least {
					least = n
				}
				most = max(most, f.SamplesPerProblem[1])
			}
		}
		if least != most {
			notes = append(notes, fmt.Sprintf("on %s, the models have %d to %d samples a problem, so the errors of some are larger", task, least, most))
		}
	}
	return notes
}

// notes say what a reader must know about the rows behind the figures.
func (m Model) notes() []string {
	var notes []string
	if m.Unjudged > 0 {
		notes = append(notes, fmt.Sprintf("%d rows were not judged and are in no figure of right and wrong (%d of them have no completion)", m.Unjudged, m.Failed))
	}
	if m.Repeated > 0 {
		notes = append(notes, fmt.Sprintf("%d rows came twice and were counted once", m.Repeated))
	}
	for _, t := range m.Tasks {
		if n := t.SamplesPerProblem; n[0] != n[1] {
			notes = append(notes, fmt.Sprintf("on %s, problems have %d to %d samples; each problem counts once", t.Name, n[0], n[1]))
		}
	}
	if m.Versions > 1 {
		notes = append(notes, fmt.Sprintf("its rows come from %d versions of the policy, which are not told apart", m.Versions))
	}
	return notes
}

// allNotes are those of the report and of each model, with its name.
func (r *Report) allNotes() []string {
	notes := slices.Clone(r.Notes)
	for _, m := range r.Models {
		for _, note := range m.notes() {
			notes = append(notes, m.Name+": "+note)
		}
	}
	return notes
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
