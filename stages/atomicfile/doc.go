// Package atomicfile writes files whole: under its name a file shows what it had before, or all of
// what was written, and nothing in between, whatever stops the writer.
//
// Start with [Write], or with [Create] where the writing is spread over calls. Folders that are
// replaced as a whole (a model's) are the business of stages/checkpoint; files that grow line by line
// (metrics) are no matter for this package.
package atomicfile
