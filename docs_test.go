package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// What the documents name as proof is there.
func TestProofsExist(t *testing.T) {
	tests := map[string]bool{}
	files, err := filepath.Glob("*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	here, _ := filepath.Glob("*_test.go")
	for _, file := range append(files, here...) {
		for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllStringSubmatch(read(t, file), -1) {
			tests[match[1]] = true
		}
	}
	documents, err := filepath.Glob("docs/*.md")
	if err != nil || len(documents) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, document := range append(documents, "README.md") {
		for _, name := range regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(read(t, document), -1) {
			if !tests[name] {
				t.Errorf("%s names %s, which is not there", document, name)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
