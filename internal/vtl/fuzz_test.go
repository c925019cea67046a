package vtl_test

import (
	"errors"
	"testing"
	"time"

	"cleat/internal/vtl"
)

// FuzzRender parses a template and renders it on a body. It never panics, it ends within its bounds, and each error has
// a place in the text.
func FuzzRender(f *testing.F) {
	for _, file := range []string{"testdata/cases.txt", "testdata/quirks.txt", "testdata/errors.txt"} {
		for _, c := range readCases(f, file) {
			f.Add(c.template, c.body)
		}
	}
	f.Fuzz(func(t *testing.T, template, body string) {
		if len(template)+len(body) > 16<<10 {
			return
		}
		start := time.Now()
		got, err := render(t, template, body)
		if took := time.Since(start); took > 20*time.Second { // steps bound it to a fraction, on an idle machine
			t.Errorf("took %s: %q on %q", took, template, body)
		}
		if err == nil {
			if len(got) > 6<<20 {
				t.Errorf("got %d bytes", len(got))
			}
			return
		}
		var fault *vtl.Error
		if !errors.As(err, &fault) || fault.Line < 1 || fault.Column < 1 || fault.What == "" {
			t.Errorf("%q: got %v", template, err)
		}
	})
}
