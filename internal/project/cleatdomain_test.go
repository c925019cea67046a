package project_test

import (
	"strings"
	"testing"

	"cleat/internal/project"
)

// Custom domain names need something to lead to.
func TestDomainsNeedAStage(t *testing.T) {
	t.Parallel()
	_, err := load(t, project.Options{}, strings.Replace(small, "    events:\n      - websocket: $default\n", "", 1)+"-- cleat.yaml --\ndomains: { a.test: v1 }\n")
	if want := "cleat.yaml:1: domains needs a project with one stage, and serverless.yml has 0"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = load(t, project.Options{}, "-- cleat.yaml --\nname: own\nroutes: { $default: http://x.test }\ndomains: { a.test: v1, A.test: v1 }\n")
	if err != nil {
		t.Errorf("names that control tells to be the same: %v", err)
	}
}
