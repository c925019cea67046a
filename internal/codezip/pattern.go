package codezip

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"cleat/internal/glob"
)

// pattern says of some files whether they are packed.
type pattern struct {
	parts    []string // between slashes; ** is any number of them
	takes    bool
	folder   bool // it means folders with all that is in them, and no file
	anywhere bool // it means a name in any folder
}

// builtIn leaves out what is no code: version control, what frameworks build beside the code, our own files.
var builtIn = readIgnoreLines([]string{
	".git/", ".hg/", ".svn/", "/.serverless/", "/cdk.out/", "/.aws-sam/", "/" + IgnoreFile, ".DS_Store", "__pycache__/",
})

// readIgnoreFile reads the folder's file of patterns, if there is one.
func readIgnoreFile(dir string) ([]pattern, error) {
	text, err := os.ReadFile(filepath.Join(dir, IgnoreFile)) //nolint:gosec // G304: of the folder that is packed
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which files are not packed: %w", err)
	}
	return readIgnoreLines(strings.Split(string(text), "\n")), nil
}

// readIgnoreLines reads lines as .gitignore has them: what they name is left out, unless a ! stands before it.
func readIgnoreLines(lines []string) []pattern {
	var out []pattern
	for _, line := range lines {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line, takes := strings.CutPrefix(line, "!")
		line = strings.TrimPrefix(line, `\`) // before # and !
		p := pattern{takes: takes}
		line, p.folder = strings.CutSuffix(line, "/")
		p.anywhere = !strings.Contains(line, "/")
		p.parts = strings.Split(strings.TrimPrefix(line, "/"), "/")
		out = append(out, p)
	}
	return out
}

// readPatterns reads patterns as package.patterns of serverless.yml has them: from the folder, taking what they name unless a !
// stands before it.
func readPatterns(patterns []string) []pattern {
	var out []pattern
	for _, text := range patterns {
		text, leaves := strings.CutPrefix(text, "!")
		text = strings.TrimPrefix(text, "./")
		if text == "" {
			continue
		}
		out = append(out, pattern{takes: !leaves, parts: strings.Split(path.Clean(text), "/")})
	}
	return out
}

// takes tells whether a file is packed, or may be: of a folder, whether all of it is left out by name.
func (w *walker) takes(name string, folder bool) bool {
	takes := true
	for i := range w.patterns {
		if w.patterns[i].matches(name, folder) {
			takes = w.patterns[i].takes
		}
	}
	return takes
}

// enters tells whether anything in a folder can be packed. A pattern that takes something back may mean a file in it.
func (w *walker) enters(name string) bool {
	if w.takes(name, true) {
		return true
	}
	for i := range w.patterns {
		if p := &w.patterns[i]; p.takes && !p.anywhere && mayBeUnder(p.parts, strings.Split(name, "/")) {
			return true
		}
	}
	return false
}

// matches tells whether a pattern means a file or folder, or a folder above it.
func (p *pattern) matches(name string, folder bool) bool {
	parts := strings.Split(name, "/")
	for n := 1; n <= len(parts); n++ {
		isFolder := n < len(parts) || folder
		if p.folder && !isFolder {
			continue
		}
		if p.anywhere && glob.Match(p.parts[0], parts[n-1]) || !p.anywhere && match(p.parts, parts[:n]) {
			return true
		}
	}
	return false
}

// match matches parts of a path; ** stands for any number of them.
func match(pattern, parts []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(parts) + 1 {
				if match(pattern[1:], parts[i:]) {
					return true
				}
			}
			return false
		}
		if len(parts) == 0 || !glob.Match(pattern[0], parts[0]) {
			return false
		}
		pattern, parts = pattern[1:], parts[1:]
	}
	return len(parts) == 0
}

// mayBeUnder tells whether a pattern may mean something below a folder.
func mayBeUnder(pattern, folder []string) bool {
	for i, part := range folder {
		if i >= len(pattern) {
			return false
		}
		if pattern[i] == "**" {
			return true
		}
		if !glob.Match(pattern[i], part) {
			return false
		}
	}
	return true
}
