package stage

import (
	"fmt"
	"log/slog"

	"openrs/stages/suggest"
)

// Compat reads a value of --compat, and says in the log what a compatible mode does. profile says that
// a profile was asked for, which the mode brings its own of.
func Compat(study string, profile bool, log *slog.Logger) (bool, error) {
	switch {
	case study == "":
		return false, nil
	case study != "open-rs":
		return false, fmt.Errorf("--compat %q%s: expected open-rs", study, suggest.From(study, []string{"open-rs"}))
	case profile:
		return false, fmt.Errorf("--compat %s has its own profile, but --profile is given too", study)
	}
	for _, what := range []string{
		"an unreadable gold answer, such as one outside of LaTeX, earns every completion the full reward",
		"answers are compared in reverse order, and sloppy LaTeX is not read",
		"lengths are characters, and the cosine reward is not clamped",
		"the cosine reward's defaults make the shortest wrong answer the cheapest",
		"format asks only for one closed thought",
	} {
		log.Warn("compatible with the published open-rs", "which", what)
	}
	return true, nil
}
