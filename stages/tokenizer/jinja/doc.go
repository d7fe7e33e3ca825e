// Package jinja renders chat templates: the part of the Jinja language that the templates of language
// models use, with the settings of the transformers library (trim_blocks, lstrip_blocks, loop controls,
// generation blocks, tojson without escapes, no other template to load).
//
// Start with [Parse] and [Template.Render]. Values are Python's, as far as templates see them; [Value]
// makes them of Go's, and [Decode] of JSON, keeping the order of keys.
//
// A template is cut into tokens (lex.go), these become a tree (parse.go for statements, expression.go and
// postfix.go), and the tree is walked (statement.go, evaluate.go). Filters, tests and methods are tables, in files of
// these names. What Python would print, compare or call true is in value.go and text.go.
//
// Templates are input: whatever they say ends in a text or an error, within bounds on steps, depth
// and size. They can reach nothing but the variables they are given.
package jinja
