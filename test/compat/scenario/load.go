package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Load reads all scenarios of a folder, in the order of their names. shown is the folder as messages name it. The error
// holds every Fault.
func Load(folder fs.FS, shown string) ([]*Scenario, error) {
	var out []*Scenario
	var faults []error
	err := fs.WalkDir(folder, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, ok := strings.CutSuffix(file, ".txt")
		if area, rest, found := strings.Cut(name, "/"); !ok || !found || !fileName(area) || !fileName(rest) {
			faults = append(faults, fmt.Errorf("%s: a scenario is AREA/NAME.txt, in small letters, digits and hyphens", path.Join(shown, file)))
			return nil
		}
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			return err
		}
		s, err := Parse(name, path.Join(shown, file), text)
		if err != nil {
			faults = append(faults, err)
			return nil
		}
		out = append(out, s)
		return nil
	})
	slices.SortFunc(out, func(a, b *Scenario) int { return strings.Compare(a.Name, b.Name) })
	return out, errors.Join(append(faults, err)...)
}

func fileName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
