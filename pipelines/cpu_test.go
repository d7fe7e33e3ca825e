//go:build !cuda

package pipelines

import "time"

// buildFlags and buildEnv make the binaries that users have.
var (
	buildFlags []string
	buildEnv   = []string{"CGO_ENABLED=0"}
)

// patience bounds every wait for a process.
const patience = 90 * time.Second
