// Package input reads the files that a project is written in, each once and within bounds, and gathers what is wrong with
// them, so that everything is told at once. On top of that it takes the simple values out of settings: a text, a number, a
// switch, a map of known keys. What the settings mean is for its callers to say: package variable puts values into
// serverless.yml, which package serverless reads; package config reads what cleat.yaml says of a node, package project what it
// says of APIs.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"cleat/internal/cfn"
)

// MaxFileSize is how many bytes a file may have.
const MaxFileSize = 4 << 20

const maxFiles = 500 // that one project is read from

// Reading is one reading of a project: the files that were looked for and what was found wrong. It is used by one
// goroutine. Make one with New.
type Reading struct {
	// Dir is the project's folder, absolute: names of files are relative to it. It is set before anything is read.
	Dir string
	// Faults and Warnings are what was found so far.
	Faults, Warnings cfn.Faults

	files  []string              // as shown
	parsed map[string]*cfn.Value // by absolute path
	unread map[string]bool       // absolute paths of files that have faults
	told   map[string]bool       // texts of faults and warnings
}

// New returns a reading that has read nothing yet.
func New() *Reading {
	return &Reading{parsed: map[string]*cfn.Value{}, unread: map[string]bool{}, told: map[string]bool{}}
}

// Faultf notes a fault, once for the same text at the same place.
func (r *Reading) Faultf(at cfn.Place, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if key := "f" + at.String() + text; !r.told[key] {
		r.told[key] = true
		r.Faults.Addf(at, "%s", text)
	}
}

// Warnf notes a warning, once for the same text wherever it arises.
func (r *Reading) Warnf(at cfn.Place, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if key := "w" + text; !r.told[key] {
		r.told[key] = true
		r.Warnings.Addf(at, "%s", text)
	}
}

// Err returns the faults as an error, a cfn.Faults in the order of files (as they were come upon) and lines. It is nil
// when there are none.
func (r *Reading) Err() error {
	slices.SortStableFunc(r.Faults, func(a, b cfn.Fault) int {
		if a.Place.File != b.Place.File {
			return slices.Index(r.files, a.Place.File) - slices.Index(r.files, b.Place.File)
		}
		return a.Place.Line - b.Place.Line
	})
	return r.Faults.Err()
}

// RealPath is an absolute path with links resolved. Of a file that is not there, its folder's are.
func RealPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return filepath.Clean(path)
}

// IsFile reports whether a path leads to a regular file.
func IsFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// IsDir reports whether a path leads to a folder.
func IsDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Abs is the absolute path of a file.
func (r *Reading) Abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(r.Dir, name)
}

// Shown is a file as the user would name it: relative to the project where it lies in it.
func (r *Reading) Shown(name string) string {
	abs := r.Abs(name)
	if rel, err := filepath.Rel(r.Dir, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(abs)
}

// Exists reports whether there is anything of that name.
func (r *Reading) Exists(name string) bool {
	_, err := os.Stat(r.Abs(name))
	return err == nil
}

// Watch notes that what becomes of a file, even of one that is not there, makes a difference.
func (r *Reading) Watch(name string) {
	if shown := r.Shown(name); !slices.Contains(r.files, shown) && len(r.files) < maxFiles {
		r.files = append(r.files, shown)
	}
}

// Files are the absolute paths of all files that were looked for; one that is a link stands there with its target.
func (r *Reading) Files() []string {
	var all []string
	for _, name := range r.files {
		abs := r.Abs(name)
		all = append(all, abs)
		if real := RealPath(abs); real != abs {
			all = append(all, real)
		}
	}
	return all
}

var errTooLarge = fmt.Errorf("larger than %d MiB", MaxFileSize>>20)

// ReadFile reads a regular file of at most MaxFileSize and remembers that it was looked for.
func (r *Reading) ReadFile(name string) ([]byte, error) {
	r.Watch(name)
	if len(r.files) >= maxFiles {
		return nil, fmt.Errorf("the project is read from more than %d files", maxFiles)
	}
	info, err := os.Stat(r.Abs(name)) // before it is opened: opening a pipe would wait
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(r.Abs(name))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(text) > MaxFileSize {
		return nil, errTooLarge
	}
	return text, nil
}

// Parse reads a YAML or JSON file, once. What is wrong with it becomes faults; the value is nil then (see Unread), and
// when the file is empty.
func (r *Reading) Parse(name string) *cfn.Value {
	return r.parse(name, cfn.Place{File: r.Shown(name)}, "")
}

// ParseNamed is Parse of the file that a setting names. When it cannot be read, the fault stands where the name does.
func (r *Reading) ParseNamed(v *cfn.Value) *cfn.Value { return r.parse(v.Text, v.Place, v.Text+" ") }

func (r *Reading) parse(name string, at cfn.Place, subject string) *cfn.Value {
	abs := r.Abs(name)
	if v, ok := r.parsed[abs]; ok {
		return v
	}
	r.parsed[abs] = nil
	text, err := r.ReadFile(name)
	if err != nil {
		r.unread[abs] = true
		r.Faultf(at, "%scannot be read: %v", subject, Plain(err))
		return nil
	}
	v, err := cfn.Parse(r.Shown(name), text)
	if err != nil {
		r.unread[abs] = true
		r.addFaults(r.Shown(name), err)
		return nil
	}
	r.parsed[abs] = v
	return v
}

// Unread reports whether Parse could make nothing of a file, which has its faults then.
func (r *Reading) Unread(name string) bool { return r.unread[r.Abs(name)] }

func (r *Reading) addFaults(file string, err error) {
	if faults, ok := errors.AsType[cfn.Faults](err); ok {
		for _, f := range faults {
			r.Faultf(f.Place, "%s", f.Message)
		}
		return
	}
	r.Faultf(cfn.Place{File: file}, "%v", err)
}

// Plain is an error without the operation and path that os puts before it: a fault's place says those.
func Plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
