//go:build !unix

package checkpoint

import "os"

// mapFile reads the whole file: the plain substitute for a mapping.
func mapFile(path string) ([]byte, func() error, error) {
	data, err := os.ReadFile(path)
	return data, nil, err
}
