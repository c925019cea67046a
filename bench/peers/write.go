//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"cleat/bench/report"
	"cleat/bench/result"
)

const resultsFile = "peers.json"

// write keeps a report below a repository's root: the figures and charts, and the parts of pages that are made of them.
func write(root string, r *result.Report) error {
	folder := filepath.Join(root, "docs", "benchmarks")
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // G301: for everybody
		return err
	}
	if err := r.Write(filepath.Join(folder, resultsFile)); err != nil {
		return err
	}
	return render(root, r)
}

// render makes anew what is made of figures.
func render(root string, r *result.Report) error {
	folder := filepath.Join(root, "docs", "benchmarks")
	for name, svg := range report.Charts(r) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(svg), 0o644); err != nil { //nolint:gosec // G306: for everybody
			return err
		}
	}
	return errors.Join(
		replace(filepath.Join(root, "docs", "benchmarks.md"), report.Markdown(r, "benchmarks")),
		replace(filepath.Join(root, "README.md"), report.Readme(r, "docs/benchmarks", "docs/benchmarks.md")))
}

func replace(file, text string) error {
	page, err := os.ReadFile(file) //nolint:gosec // G304: docs of the tree that the user names
	if err != nil {
		return err
	}
	replaced, ok := report.Replace(string(page), "bench", text)
	if !ok {
		return fmt.Errorf("%s has no lines <!-- bench:begin --> and <!-- bench:end -->", file)
	}
	return os.WriteFile(file, []byte(replaced), 0o644) //nolint:gosec // G306: for everybody
}
