//go:build cuda

package kernels

import (
	"embed"
	"io/fs"
)

//go:generate ./generate.sh

//go:embed *.ptx
var files embed.FS

// Module is one compiled source.
type Module struct {
	Name string // such as "norm"
	PTX  []byte
}

// Modules returns all modules, by name.
func Modules() ([]Module, error) {
	names, err := fs.Glob(files, "*.ptx")
	if err != nil {
		return nil, err
	}
	modules := make([]Module, 0, len(names))
	for _, name := range names {
		ptx, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		modules = append(modules, Module{Name: name[:len(name)-len(".ptx")], PTX: ptx})
	}
	return modules, nil
}
