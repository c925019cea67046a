package identity_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cleat/internal/identity"
)

func TestSealKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	if _, err := identity.ReadSealKey(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	key, err := identity.MakeSealKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.MakeSealKey(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key was replaced: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.ReadSealKey(path); err != nil {
		t.Error(err)
	}
	for _, shown := range []string{fmt.Sprint(key), fmt.Sprintf("%+v", key), fmt.Sprintf("%#v", key)} {
		if strings.Contains(string(text), shown) || shown != "sealing key" {
			t.Errorf("got %q", shown)
		}
	}
	if err := os.WriteFile(path, text[:len(text)-8], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.ReadSealKey(path); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), string(text[13:20])) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseSealKey(f *testing.F) {
	_, text := identity.NewSealKey()
	f.Add(text)
	f.Add(" " + text + "\n")
	f.Add("cleat-seal-1:")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := identity.ParseSealKey(text); err == nil && !strings.HasPrefix(strings.TrimSpace(text), "cleat-seal-1:") {
			t.Errorf("%q is taken for a sealing key", text)
		}
	})
}
