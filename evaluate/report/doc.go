// Package report turns scored rollouts into figures that people and programs
// can read: report.json, a table for the terminal, and one HTML page that
// needs nothing else to be opened, now or in ten years.
//
// Start with Build, which takes the scored rollouts of one or more models and
// returns a Report, and Report.Save, which writes it.
//
//	report.go    the Report and how it is built
//	model.go     the figures of one model, and of the parts of its problems
//	examples.go  which completions the page shows
//	metrics.go   training curves from a metrics file
//	text.go      the terminal's table
//	html.go      the page (page.html, style.css); chart*.go draw its plots as SVG
//	write.go     files, all or nothing
//
// The statistics are the stats package's; judging a completion is score's.
package report
