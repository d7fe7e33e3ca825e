// Package report turns scored rollouts into figures that people and programs
// can read: report.json, a Markdown table, a table for the terminal, results in
// the form of lighteval's, every sample as Parquet, and one HTML page that needs
// nothing else to be opened, now or in ten years.
//
// Start with Build, which takes the scored rollouts of one or more models (the
// checkpoints of a run, say) and returns a Report, and Report.Save, which writes
// it. What a problem's source is called is its task; everything is told by model
// and task.
//
//	report.go     the Report and how it is built
//	model.go      one model's rows by problem, and its figures
//	figures.go    the figures of a set of samples: accuracy, pass@k, maj@k, lengths, …
//	outcome.go    what became of each sample, and why: judged again, by the rule that the rows show
//	compare.go    paired comparisons with the first model; selection.go: the best of several
//	notes.go      what is odd about the rows; headline.go the result in words
//	examples.go   completions that are shown without a script and on paper
//	metrics.go    training curves from a metrics file
//	text.go       the terminal's table; markdown.go the same for Markdown, and more tables
//	lighteval.go  results_DATE.json; details.go lighteval's detail files
//	samples.go    samples.parquet
//	html.go       the page (page.html, plots.html, style.css)
//	forest.go     estimates with intervals, to scale; chart*.go and lengths.go draw plots as SVG
//	browser.go    packs the samples into the page; browser.js shows them
//	write.go      files, all or nothing
//
// The samples lie in the page compressed, and its one
// script shows them as text, never as markup; a policy in the page forbids every
// other script and every request. Tests open it in Chromium where there is one,
// and OPENRS_SCREENSHOTS=FOLDER keeps the pictures that they take.
//
// The statistics are the stats package's; judging a completion is score's.
package report
