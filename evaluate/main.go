// Command evaluate prepares benchmarks and reports what scored answers to them say about a model.
package main

import (
	"openrs/stages"
)

func main() {
	stages.Main(stages.App("evaluate", "measure models on problems they have not seen",
		"`evaluate run` answers benchmarks with models and reports, in one command; in parts:\n"+
			"`evaluate problems` writes a benchmark's problems, which generate and score answer and judge like any others;\n"+
			"`evaluate report` makes a table, JSON and an HTML page of the scored answers of one or more models.\n"+
			"`evaluate watch` evaluates the policies of a run while it is trained.",
		nil, nil,
		compareCommand(),
		problemsCommand(),
		promptsCommand(),
		runCommand(),
		watchCommand(),
		reportCommand(),
	))
}
