// Package card describes a set of problems: where they come from, what each step did to them, how long
// and how hard they are, what their answers are, and examples of what was removed and why.
//
// [Collect] looks at every problem that is left and makes a [Card] of it and a refine.Report. The card is
// written as Markdown (markdown.go), as one HTML page that needs nothing else (html.go), and as JSON for
// programs. It has no dates and no names of machines: the same rows give the same card, byte for byte.
package card
