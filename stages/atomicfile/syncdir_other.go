//go:build !unix

package atomicfile

// SyncDir does nothing where folders can't be opened as files.
func SyncDir(string) error { return nil }
