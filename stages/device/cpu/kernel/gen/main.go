// Command gen writes the assembly of package kernel and the Go declarations that go with it, into the
// package's folder: run it there, with go generate. It prints plain text; what is generated is checked in,
// and a test keeps the two equal.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	files, err := generate()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// generate returns the generated files by name.
func generate() (map[string][]byte, error) {
	out := map[string][]byte{}
	var declarations []declaration
	for _, file := range []struct {
		name string
		emit func(*asm)
	}{
		{"gemm_f32_amd64.s", gemmFile},
		{"bf16_amd64.s", bf16File},
		{"vector_f32_amd64.s", vectorFile},
		{"util_amd64.s", utilFile},
	} {
		a := &asm{}
		file.emit(a)
		out[file.name] = a.file()
		declarations = append(declarations, a.decls...)
	}
	text, err := stubs(declarations)
	if err != nil {
		return nil, err
	}
	out["stubs_amd64.go"] = text
	return out, nil
}
