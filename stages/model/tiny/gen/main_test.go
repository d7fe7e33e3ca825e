package main

import (
	"bytes"
	"os"
	"testing"
)

func TestAssetIsCurrent(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../assets/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("assets/tokenizer.json is not what gen writes: run go generate ./stages/model/tiny")
	}
}
