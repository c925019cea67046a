package testkit

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"testing"
)

// ZipFile is an entry of a zip file. A link's text is where it leads.
type ZipFile struct {
	Name, Text string
	Mode       fs.FileMode // zero: 0o644
}

// Zip returns a zip file with entries in that order, whatever they are called.
func Zip(tb testing.TB, entries ...ZipFile) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.Name, Method: zip.Deflate}
		if e.Mode == 0 {
			e.Mode = 0o644
		}
		h.SetMode(e.Mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(e.Text)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
