//go:build cuda

// Ptx2c translates PTX to C++ for the fake device: `ptx2c -o DIR` reads the text of a module on standard
// input and writes, for every kernel, DIR/NAME.cpp, one C++ function in which each register is a vector of a
// warp's 32 lanes (../warp.h, ../lane.h), and DIR/index, a line for every kernel: its name, static shared
// memory, most threads in a block (0: not said) and the bytes of each parameter. What it does not know is an
// error that names the instruction and its line; it never guesses.
//
// parse.go reads the text, mutate.go breaks it for tests, block.go cuts kernels into basic blocks, emit.go writes functions and control
// flow, and the instructions are in arith.go, convert.go, memory.go and warp.go.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("o", ".", "folder to write to")
	flag.Parse()
	if err := run(os.Stdin, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "ptx2c:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, dir string) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	source := string(text)
	if order := os.Getenv("FAKECUDA_MUTANT"); order != "" {
		if source, err = mutate(source, order); err != nil {
			return err
		}
	}
	files, err := translate(source)
	if err != nil {
		return err
	}
	for name, code := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(code), 0o666); err != nil {
			return err
		}
	}
	return nil
}
