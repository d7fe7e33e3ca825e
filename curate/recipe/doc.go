// Package recipe reads what a recipe says about building problems: the data sets they come from and the
// steps they go through.
//
//	sources:
//	  - math_train.json
//	  - path: s1/data/train-*.parquet
//	    name: s1
//	    columns: {problem: question}
//	steps:
//	  - boxed-only
//	  - length: 512
//	  - pass-rate: {scored: [s1-scored.parquet], max: 0, only: [s1]}
//
// [ReadSources] and [ReadSteps] take the YAML nodes and return checked values; whatever they do not
// know is an error that names the line and what was probably meant. Which steps there are, with which
// options, is not known here: it comes as a list of [Spec], which package step has.
//
// node.go reads YAML strictly, option.go gives options their types.
package recipe
