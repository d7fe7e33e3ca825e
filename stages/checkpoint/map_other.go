//go:build !linux && !darwin

package checkpoint

import "os"

// mapFile reads the whole file: the plain substitute for a mapping.
func mapFile(path string) (content, error) {
	data, err := os.ReadFile(path)
	return content{data: data}, err
}

// forget does nothing: nothing is mapped.
func forget([]byte) {}
