//go:build !linux

package checkpoint

import "errors"

// exchange reports that two folders can't be swapped in one step here.
func exchange(_, _ string) error { return errors.ErrUnsupported }
