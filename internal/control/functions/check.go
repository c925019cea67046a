package functions

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/draft"
)

// Bounds of a function's definition (spec lambda §4 and Lambda's quotas).
const (
	maxEnvironment = 4 << 10
	maxDescription = 256
	maxTags        = 50
)

// check is draft.CheckFunction with what only Lambda's API refuses: projects are run with a warning.
func check(f *apigw.Function) error {
	if err := draft.CheckFunction(f).Err(); err != nil {
		return err
	}
	size := 0
	var reserved []string
	for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
		size += len(name) + len(f.Environment[name])
		if apigw.ReservedVariable(name) {
			reserved = append(reserved, name)
		}
	}
	switch {
	case len(reserved) > 0:
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(reserved, ", "))
	case size > maxEnvironment:
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %d bytes", size)
	case len(f.Description) > maxDescription:
		return invalid("Description is longer than %d characters", maxDescription)
	case len(f.Tags) > maxTags:
		return invalid("A function has at most %d tags", maxTags)
	}
	return nil
}

// Set keeps a member of the configuration that has no effect here, or forgets it where the value says nothing: null, or
// empty all the way down.
func Set(f *apigw.Function, name string, value json.RawMessage) error {
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return invalid("%s is not JSON", name)
	}
	settings := maps.Clone(f.Settings) // the old map may be another version's
	if empty(v) {
		delete(settings, name)
	} else {
		if settings == nil {
			settings = map[string]json.RawMessage{}
		}
		settings[name] = slices.Clone(value)
	}
	f.Settings = settings
	return nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !empty(e) })
	case map[string]any:
		for _, e := range v {
			if !empty(e) {
				return false
			}
		}
		return true
	}
	return false
}
