//go:build !unix

package job

import "os"

func lock(*os.File) error { return nil }
