package template_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cleat/internal/cfn"
	"cleat/internal/input"
	"cleat/internal/link"
	"cleat/internal/template"
	"cleat/internal/testkit"
)

// project is a folder with files, and a reader of it.
type project struct {
	t   *testing.T
	dir string
	r   *template.Reader
}

func newProject(t *testing.T, files map[string]string) *project {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reading := input.New()
	reading.Dir = dir
	return &project{t, dir, template.New(reading, template.Options{Name: "chat", CodeDir: t.TempDir()})}
}

// resources are those of the project's template, linked.
func (p *project) resources() *cfn.Value {
	p.t.Helper()
	s := p.r.Stack("template.yaml")
	if s == nil {
		p.t.Fatal(p.r.Err())
	}
	return p.r.Link(link.Stack{Template: s}).Get("Resources")
}

// zipOf is an archive; a name that ends in @ is a link to its content.
func zipOf(t *testing.T, files map[string]string) string {
	t.Helper()
	var entries []testkit.ZipFile
	for name, text := range files {
		e := testkit.ZipFile{Name: name, Text: text, Mode: 0o755}
		if link, ok := strings.CutSuffix(name, "@"); ok {
			e.Name, e.Mode = link, fs.ModeSymlink|0o777
		}
		entries = append(entries, e)
	}
	return string(testkit.Zip(t, entries...))
}

// TestCode finds the code of functions wherever a template may have it (CloudFormation's AWS::Lambda::Function Code).
func TestCode(t *testing.T) {
	const head = "Parameters: {Dir: {Type: String, Default: src}}\nResources:\n  F:\n    Type: AWS::Lambda::Function\n"
	type want struct{ dir, file, absent string }
	tests := map[string]struct {
		function string
		want     want
	}{
		"folder":          {"    Properties: {Code: ./src}", want{dir: "src", file: "a.js"}},
		"by a parameter":  {"    Properties: {Code: !Ref Dir}", want{dir: "src", file: "a.js"}},
		"file":            {"    Properties: {Code: src/a.js}", want{dir: "src", file: "a.js"}},
		"archive":         {"    Properties: {Code: f.zip}", want{file: "in/b.js"}},
		"inline":          {"    Properties: {Runtime: nodejs22.x, Code: {ZipFile: x}}", want{file: "index.js"}},
		"inline Python":   {"    Properties: {Runtime: python3.13, Code: {ZipFile: !Sub '${AWS::Region}'}}", want{file: "index.py"}},
		"asset's path":    {"    Metadata: {'aws:asset:path': src, 'aws:asset:property': Code}\n    Properties: {Code: {S3Bucket: b, S3Key: k.zip}}", want{dir: "src", file: "a.js"}},
		"asset's key":     {"    Properties: {Code: {S3Bucket: b, S3Key: !Join ['', [x/, asset.zip]]}}", want{dir: "src", file: "a.js"}},
		"asset's key, 2":  {"    Properties: {Code: {S3Bucket: b, S3Key: !Sub '${Dir}/asset.zip'}}", want{dir: "src", file: "a.js"}},
		"in S3":           {"    Properties: {Code: {S3Bucket: b, S3Key: k.zip}}", want{absent: "its code is in S3, not on this machine"}},
		"by a URL":        {"    Properties: {Code: s3://b/k}", want{absent: "its code is at s3://b/k, not on this machine"}},
		"image":           {"    Properties: {Code: {ImageUri: i}}", want{absent: "it is a container image"}},
		"packaged image":  {"    Properties: {PackageType: Image, Code: ./src}", want{absent: "it is a container image"}},
		"not there":       {"    Properties: {Code: ./none}", want{dir: "none"}},
		"none":            {"    Properties: {Handler: a.b}", want{absent: "it has no Code"}},
		"no properties":   {"    Condition: C\nConditions: {C: !Equals [a, a]}", want{absent: "it has no Code"}},
		"unknown inline":  {"    Properties: {Code: {ZipFile: !GetAtt F.Arn}}", want{absent: "its ZipFile depends on what is not known"}},
		"something else":  {"    Properties: {Code: [a]}", want{absent: "its Code is neither a path nor a place in S3"}},
		"zero byte":       {"    Properties: {Code: \"a\\0b\"}", want{absent: "its Code is no path"}},
		"leading outside": {"    Properties: {Code: ../x}", want{dir: "../x"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newProject(t, map[string]string{
				"template.yaml": head + tt.function + "\n", "src/a.js": "a", "f.zip": zipOf(t, map[string]string{"in/b.js": "b", "in/c.js@": "b.js"}),
			})
			p.r.AddAsset("asset.zip", filepath.Join(p.dir, "src"))
			f := p.resources().Get("F")
			if err := p.r.Err(); err != nil {
				t.Fatal(err)
			}
			if absent := f.Path("Metadata", "cleat", "Absent").Str(); !strings.HasPrefix(absent, tt.want.absent) || (absent != "") != (tt.want.absent != "") {
				t.Fatalf("absent: %q, want %q", absent, tt.want.absent)
			}
			if tt.want.absent != "" {
				return
			}
			got := f.Path("Properties", "Code", "LocalPath").Str()
			if want := filepath.Join(p.dir, tt.want.dir); tt.want.dir != "" && got != want {
				t.Errorf("the code is in %s, want %s", got, want)
			}
			if tt.want.file != "" && !input.IsFile(filepath.Join(got, filepath.FromSlash(tt.want.file))) {
				t.Errorf("%s has no %s", got, tt.want.file)
			}
			if place := f.Path("Metadata", "cleat", "Place").Str(); place != "template.yaml:3" {
				t.Errorf("the place is %q", place)
			}
		})
	}
}

// TestArchives: what an archive must not do.
func TestArchives(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"out of it":     {map[string]string{"../x.js": "x"}, "../x.js: "},
		"absolute":      {map[string]string{"/etc/x": "x"}, "/etc/x: "},
		"link out":      {map[string]string{"l@": "../../x"}, "l: a link that leads out of the archive"},
		"absolute link": {map[string]string{"l@": "/etc"}, "l: a link that leads out of the archive"},
		"no archive":    {nil, "not a valid zip file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			archive := "PK no archive"
			if tt.files != nil {
				archive = zipOf(t, tt.files)
			}
			p := newProject(t, map[string]string{"template.yaml": "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: f.zip}}\n", "f.zip": archive})
			p.resources()
			if err := p.r.Err(); err == nil || !strings.Contains(err.Error(), "template.yaml:2: F: the archive f.zip cannot be unpacked: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			for _, pattern := range []string{"*/new-*", "*/x.js"} {
				if left, err := filepath.Glob(filepath.Join(p.r.Options.CodeDir, pattern)); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			}
		})
	}
}

// TestKeptCode: the same code is the same folder, changed code another one, and packages of the project are found from there.
func TestKeptCode(t *testing.T) {
	const text = "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Runtime: nodejs22.x, Code: {ZipFile: one}}}\n  G: {Type: AWS::Lambda::Function, Properties: {Runtime: nodejs22.x, Code: {ZipFile: one}}}\n" +
		"  H: {Type: AWS::Lambda::Function, Properties: {Runtime: nodejs22.x, Code: {ZipFile: two}}}\n"
	p := newProject(t, map[string]string{"template.yaml": text, "node_modules/x/index.js": ""})
	r := p.resources()
	if err := p.r.Err(); err != nil {
		t.Fatal(err)
	}
	dir := func(id string) string { return r.Path(id, "Properties", "Code", "LocalPath").Str() }
	if dir("F") != dir("G") || dir("F") == dir("H") {
		t.Errorf("folders %s, %s, %s", dir("F"), dir("G"), dir("H"))
	}
	if !input.IsFile(filepath.Join(filepath.Dir(dir("F")), "node_modules", "x", "index.js")) {
		t.Error("the project's packages are not found from the code")
	}
	p.r.Options.CodeDir = ""
	p2 := newProject(t, map[string]string{"template.yaml": text})
	p2.r.Options.CodeDir = ""
	p2.resources()
	if err := p2.r.Err(); err == nil || !strings.Contains(err.Error(), "there is no folder to write it to") {
		t.Errorf("without a folder: %v", err)
	}
}

// TestInclude puts in what AWS::Include names.
func TestInclude(t *testing.T) {
	p := newProject(t, map[string]string{
		"template.yaml": "Transform: {Name: AWS::Include, Parameters: {Location: more/all.yaml}}\nResources:\n  A:\n    Type: T\n    Properties:\n      X: 1\n" +
			"      Fn::Transform: {Name: AWS::Include, Parameters: {Location: ./more/props.yaml}}\n  B: {Type: T, Properties: {L: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: more/list.json}}}, Z: !Transform {Name: Mine}}}\n",
		"more/all.yaml": "Resources: {C: {Type: T}}\n", "more/props.yaml": "X: 2\nY: !Ref A\n", "more/list.json": "[1]",
	})
	got := string(p.resources().AppendJSON(nil))
	const want = `{"C":{"Type":"T"},"A":{"Type":"T","Properties":{"X":1,"Y":{"Ref":"A"}}},"B":{"Type":"T","Properties":{"L":[1],"Z":{"Fn::Transform":{"Name":"Mine"}}}}}`
	if err := p.r.Err(); err != nil || got != want {
		t.Errorf("got\n%s\nwant\n%s\n%v", got, want, err)
	}
	for location, want := range map[string]string{"none.yaml": "cannot be read", "[a]": "needs Parameters.Location"} {
		p := newProject(t, map[string]string{"template.yaml": "Resources:\n  A:\n    Fn::Transform: {Name: AWS::Include, Parameters: {Location: " + location + "}}\n"})
		p.resources()
		if err := p.r.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", location, err, want)
		}
	}
}

// TestNested reads nested stacks by paths relative to the template that names them, and tells of those that are not here.
func TestNested(t *testing.T) {
	p := newProject(t, map[string]string{
		"template.yaml": "Resources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: sub/n.yaml}}\n  Away: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: https://x/y}}\n",
		"sub/n.yaml":    "Resources:\n  M: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ../m.json}}\n  F: {Type: AWS::Lambda::Function, Properties: {Code: .}}\n",
		"m.json":        `{"Resources": {"T": {"Type": "T"}}}`,
	})
	r := p.resources()
	if err := p.r.Err(); err != nil {
		t.Fatal(err)
	}
	if r.Get("NMT") == nil || r.Path("NF", "Properties", "Code", "LocalPath").Str() != filepath.Join(p.dir, "sub") {
		t.Errorf("got %s", r.AppendJSON(nil))
	}
	if len(p.r.Warnings) != 1 || !strings.Contains(p.r.Warnings[0].Error(), "template.yaml:3: nested stack Away: its template is not a file of this machine") {
		t.Errorf("warnings %v", p.r.Warnings)
	}
	missing := newProject(t, map[string]string{"template.yaml": "Resources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: n.yaml}}\n"})
	missing.resources()
	if err := missing.r.Err(); err == nil || !strings.Contains(err.Error(), "template.yaml:2: nested stack N: there is no template n.yaml") {
		t.Errorf("got %v", err)
	}
}

// FuzzRead reads any template: nothing may panic, and there is a template or a fault.
func FuzzRead(f *testing.F) {
	f.Add([]byte("Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: ., Handler: a.b, Runtime: nodejs22.x}}\n"))
	f.Add([]byte("Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: {ZipFile: x}}}\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: template.yaml}}\n"))
	f.Add([]byte("Resources: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: template.yaml}}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "template.yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		reading := input.New()
		reading.Dir = dir
		r := template.New(reading, template.Options{Name: "x"})
		s := r.Stack("template.yaml")
		if s == nil {
			if r.Err() == nil {
				t.Error("no template and no fault")
			}
			return
		}
		r.Link(link.Stack{Template: s})
	})
}
