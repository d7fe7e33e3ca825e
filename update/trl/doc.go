// Package trl converts the YAML file of a TRL or open-r1 training script (ModelConfig, GRPOConfig and
// GRPOScriptArguments in one mapping) into a recipe of openrs.
//
// Start with [Convert]; [Result.Write] writes the recipe. Every key of the file has one row in the table
// (table.go, with the rows in rows_*.go), which says what becomes of it:
//
//   - it is a flag of a command here, with the same meaning;
//   - it takes part in a derivation, as the batch sizes do in groups-per-step (derive.go, rewards.go, adapter.go);
//   - it says nothing here, and why;
//   - it asks for something that is not supported, unless it has one of the values that ask for nothing.
//
// A key without a row is not supported. All of this stands in the recipe as comments, so that nothing of
// the file is lost silently.
//
// What a file leaves out has the default of TRL, and these have changed: beta was 0.04 and is 0,
// log-probabilities were taken at temperature 1 whatever the sampler's was. version.go has the table; which
// column of it counts is a choice ([Options.Version]).
//
// What does not live here: the recipes' reader (package stages), the flags themselves (the binaries).
package trl
