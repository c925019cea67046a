package variable_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/variable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A program that gives no value in time is ended, whatever it waits for, and whoever holds its output open.
func TestProgramTimeout(t *testing.T) {
	t.Parallel()
	env := map[string]string{"PATH": os.Getenv("PATH"), "SYSTEMROOT": os.Getenv("SYSTEMROOT")}
	for name, code := range map[string]string{
		"promise": "setInterval(() => {}, 1000); module.exports = () => new Promise(() => {})",
		"loop":    "for (;;);",
		"child":   "require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 15000)'], { stdio: 'inherit' }); module.exports = () => new Promise(() => {})",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "slow.js"), []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			_, err := variable.Resolve(dir, "a: b", "${file(./slow.js)}", variable.Options{Env: env}, 500*time.Millisecond)
			if err == nil || !strings.HasPrefix(err.Error(), "serverless.yml:1: ./slow.js: it did not give its value within 500ms") {
				t.Errorf("got %v, want a fault that says so", err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
