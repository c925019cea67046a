package listen_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

// node is a Directory of APIs with their stages, and no custom domain names: see mapped.
type node struct {
	apis map[apigw.APIID][]string
	def  apigw.APIID
}

func (n node) Mappings(string) ([]apigw.APIMapping, bool) { return nil, false }
func (n node) EndpointDisabled(apigw.APIID, string) bool  { return false }

func (n node) HasAPI(id apigw.APIID) bool     { _, ok := n.apis[id]; return ok }
func (n node) Stages(id apigw.APIID) []string { return n.apis[id] }
func (n node) Default() (apigw.APIID, bool)   { return n.def, n.def != "" }
func (n node) ids() []apigw.APIID             { return slices.Sorted(maps.Keys(n.apis)) }
func one(stages ...string) node {
	return node{map[apigw.APIID][]string{"a1b2c3d4e5": stages}, "a1b2c3d4e5"}
}

func two(def apigw.APIID, second ...string) node {
	return node{map[apigw.APIID][]string{"a1b2c3d4e5": {"dev"}, "zzzzzzzzzz": second}, def}
}

// aliased stands in for APIs that are deployed elsewhere.
type aliased struct{ node }

func (a aliased) Alias(id apigw.APIID) (apigw.APIID, bool) { return a.def, id == "deployed00" }

// below is a node with a domain of its own.
type below struct{ node }

func (below) Domain() string { return "ws.example.com" }

const awsHost = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"

func TestResolve(t *testing.T) {
	t.Parallel()
	socket := func(api apigw.APIID, stage string, form listen.Form) listen.Target {
		return listen.Target{API: api, Stage: stage, Form: form}
	}
	push := func(api apigw.APIID, stage, id string, form listen.Form) listen.Target {
		return listen.Target{API: api, Stage: stage, Rest: "/@connections/" + id, Form: form}
	}
	list := func(api apigw.APIID, stage string, form listen.Form) listen.Target {
		return listen.Target{API: api, Stage: stage, Rest: "/@connections", Form: form}
	}
	cases := map[string]struct {
		dir        listen.Directory
		host, path string
		want       listen.Target // zero: KindForbidden
	}{
		// AWS's form (spec data-plane §1).
		"host form":                       {one("dev"), awsHost, "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, trailing slash":       {one("dev"), awsHost, "/dev/", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, two slashes":          {one("dev"), awsHost, "/dev//", listen.Target{}},
		"host form, port and case":        {one("dev"), "A1B2C3D4E5.Execute-API.eu-west-1.AmazonAWS.com:3001", "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, root label":           {one("dev"), awsHost + ".", "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, China":                {one("dev"), awsHost + ".cn", "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, own domain":           {one("dev"), "a1b2c3d4e5.execute-api.eu-west-1.gateway.example.test", "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, localhost":            {one("dev"), "a1b2c3d4e5.execute-api.eu-west-1.localhost:3001", "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, no region":            {one("dev"), "a1b2c3d4e5.execute-api.localhost", "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, not the default API":  {two("zzzzzzzzzz"), awsHost, "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, escaped stage":        {one("dev"), awsHost, "/%64ev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, management":           {one("dev"), awsHost, "/dev/@connections/Ab-C_d%3D", push("a1b2c3d4e5", "dev", "Ab-C_d%3D", listen.FormHost)},
		"host form, escaped management":   {one("dev"), awsHost, "/dev/%40connections/Ab-C_d=", push("a1b2c3d4e5", "dev", "Ab-C_d=", listen.FormHost)},
		"host form, unknown API":          {one("dev"), "bbbbbbbbbb.execute-api.eu-west-1.amazonaws.com", "/dev", listen.Target{}},
		"host form, unknown stage":        {one("dev"), awsHost, "/prod", listen.Target{}},
		"host form, stage is exact":       {one("dev"), awsHost, "/Dev", listen.Target{}},
		"host form, no stage":             {one("dev"), awsHost, "/", listen.Target{}},
		"host form, stage dropped by SDK": {one("dev"), awsHost, "/@connections/abc%3D", listen.Target{}}, // management-api §6
		"host form, path form behind it":  {one("dev"), awsHost, "/a1b2c3d4e5/dev", listen.Target{}},
		"host form, path below the stage": {one("dev"), awsHost, "/dev/chat", listen.Target{}},
		"host form, management, no ID":    {one("dev"), awsHost, "/dev/@connections", list("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, management, slash":    {one("dev"), awsHost, "/dev/@connections/", list("a1b2c3d4e5", "dev", listen.FormHost)},
		"host form, management, and more": {one("dev"), awsHost, "/dev/@connections/a/b", listen.Target{}},
		"deployed API, no stand-in":       {one("dev"), "deployed00.execute-api.eu-west-1.amazonaws.com", "/dev", listen.Target{}},
		"deployed API, stand-in":          {aliased{one("dev")}, "deployed00.execute-api.eu-west-1.amazonaws.com", "/dev/@connections/x", push("a1b2c3d4e5", "dev", "x", listen.FormHost)},
		"no stand-in, another domain":     {aliased{one("dev")}, "deployed00.execute-api.localhost", "/dev", listen.Target{}},
		"other API, no stand-in for it":   {aliased{one("dev")}, "otherother.execute-api.eu-west-1.amazonaws.com", "/dev", listen.Target{}},
		"own domain":                      {below{two("")}, "a1b2c3d4e5.ws.example.com:8443", "/dev", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"own domain, case, root label":    {below{two("")}, "A1b2c3d4e5.WS.example.com.", "/dev/", socket("a1b2c3d4e5", "dev", listen.FormHost)},
		"own domain, management":          {below{two("")}, "a1b2c3d4e5.ws.example.com", "/dev/@connections/x%3D", push("a1b2c3d4e5", "dev", "x%3D", listen.FormHost)},
		"own domain, unknown API":         {below{one("dev")}, "bbbbbbbbbb.ws.example.com", "/dev", listen.Target{}},
		"own domain, two labels":          {below{one("dev")}, "x.a1b2c3d4e5.ws.example.com", "/a1b2c3d4e5/dev", socket("a1b2c3d4e5", "dev", listen.FormPath)},
		"own domain, no API":              {below{two("")}, "ws.example.com", "/a1b2c3d4e5/dev", socket("a1b2c3d4e5", "dev", listen.FormPath)},
		"somebody else's domain":          {below{two("")}, "a1b2c3d4e5.example.com", "/dev", listen.Target{}},

		// The path form.
		"path form":             {two(""), "localhost:3001", "/a1b2c3d4e5/dev", socket("a1b2c3d4e5", "dev", listen.FormPath)},
		"path form, slash":      {two(""), "127.0.0.1:3001", "/a1b2c3d4e5/dev/", socket("a1b2c3d4e5", "dev", listen.FormPath)},
		"path form, any host":   {two(""), "chat.example.test", "/a1b2c3d4e5/dev", socket("a1b2c3d4e5", "dev", listen.FormPath)},
		"path form, no host":    {two(""), "", "/a1b2c3d4e5/dev", socket("a1b2c3d4e5", "dev", listen.FormPath)},
		"path form, IPv6":       {two(""), "[::1]:3001", "/a1b2c3d4e5/dev", socket("a1b2c3d4e5", "dev", listen.FormPath)},
		"path form, management": {two(""), "localhost", "/a1b2c3d4e5/dev/%40connections/x%3D", push("a1b2c3d4e5", "dev", "x%3D", listen.FormPath)},
		"path form, no stage":   {two(""), "localhost", "/a1b2c3d4e5", listen.Target{}},
		"path form, unknown":    {two(""), "localhost", "/bbbbbbbbbb/dev", listen.Target{}},

		// The short forms.
		"stage form":                       {one("dev", "prod"), "localhost", "/prod", socket("a1b2c3d4e5", "prod", listen.FormStage)},
		"stage form, slash":                {one("dev"), "localhost", "/dev/", socket("a1b2c3d4e5", "dev", listen.FormStage)},
		"stage form, named default":        {two("a1b2c3d4e5"), "localhost", "/dev", socket("a1b2c3d4e5", "dev", listen.FormStage)},
		"stage form, no default":           {two(""), "localhost", "/dev", listen.Target{}},
		"stage form, unknown stage":        {one("dev"), "localhost", "/prod", listen.Target{}},
		"stage form, path below the stage": {one("dev"), "localhost", "/dev/chat", listen.Target{}},
		"root, one stage":                  {one("dev"), "localhost", "/", socket("a1b2c3d4e5", "dev", listen.FormRoot)},
		"root, empty path":                 {one("dev"), "localhost", "", socket("a1b2c3d4e5", "dev", listen.FormRoot)},
		"root, two stages":                 {one("dev", "prod"), "localhost", "/", listen.Target{}},
		"root, no stage":                   {one(), "localhost", "/", listen.Target{}},
		"root, no default":                 {two(""), "localhost", "/", listen.Target{}},
		"nothing served":                   {node{}, "localhost", "/dev", listen.Target{}},

		// The connection ID tells the rest, whatever the default is.
		"connection with stage":             {two("zzzzzzzzzz"), "localhost", "/dev/@connections/x%3D", push("", "dev", "x%3D", listen.FormConnection)},
		"connection with the default stage": {one("dev"), "localhost", "/dev/@connections/x/", push("", "dev", "x", listen.FormConnection)},
		"connection alone":                  {two(""), "localhost", "/@connections/x=", push("", "", "x=", listen.FormConnection)},
		"connection alone, escaped":         {two(""), "localhost", "/%40connections/x%3d", push("", "", "x%3d", listen.FormConnection)},
		"connection with an API only":       {two(""), "localhost", "/a1b2c3d4e5/@connections/x", push("", "a1b2c3d4e5", "x", listen.FormConnection)},
		"connection, no ID":                 {two(""), "localhost", "/%40connections", list("", "", listen.FormConnection)},

		// One address, one meaning.
		"an API's ID is a stage of the default": {two("a1b2c3d4e5"), "localhost", "/zzzzzzzzzz", listen.Target{}},
		"shadowed stage of the default": {
			node{map[apigw.APIID][]string{"a1b2c3d4e5": {"zzzzzzzzzz"}, "zzzzzzzzzz": {"dev"}}, "a1b2c3d4e5"},
			"localhost", "/zzzzzzzzzz/dev", socket("zzzzzzzzzz", "dev", listen.FormPath),
		},
		"stage of the default that is not shadowed": {
			node{map[apigw.APIID][]string{"a1b2c3d4e5": {"zzzzzzzzzz"}, "zzzzzzzzzz": {"dev"}}, "a1b2c3d4e5"},
			"localhost", "/zzzzzzzzzz", socket("a1b2c3d4e5", "zzzzzzzzzz", listen.FormStage),
		},
		"slash inside a segment": {one("dev"), "localhost", "/a1b2c3d4e5%2Fdev", listen.Target{}},
		"double slash in front":  {one("dev"), "localhost", "//dev", listen.Target{}},
		"no slash in front":      {one("dev"), "localhost", "*", listen.Target{}},
		"host is no AWS form":    {one("dev"), "execute-api.eu-west-1.amazonaws.com", "/dev", socket("a1b2c3d4e5", "dev", listen.FormStage)},
		"long path":              {one("dev"), "localhost", "/" + strings.Repeat("a/", 2000), listen.Target{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := listen.Resolve(c.dir, c.host, c.path)
			if got != c.want {
				t.Errorf("Resolve(%q, %q) = %+v, %v, want %+v", c.host, c.path, got, err, c.want)
			}
			if wantErr := c.want == (listen.Target{}); wantErr != (err != nil) {
				t.Errorf("error %v, want one: %v", err, wantErr)
			}
			if err != nil && apigw.KindOf(err) != apigw.KindForbidden {
				t.Errorf("kind %d, want KindForbidden", apigw.KindOf(err))
			}
		})
	}
	if _, err := listen.Resolve(one("dev"), "localhost", "/de%zz"); apigw.KindOf(err) != apigw.KindBadRequest {
		t.Errorf("broken escape: %v, want KindBadRequest", err)
	}
}

func TestHostName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "LocalHost:3001": "localhost", "a.test.": "a.test", "a.test.:80": "a.test", "[::1]:3001": "::1", "[::1]": "::1", "::1": "::1", "[broken": "[broken", ":80": "",
	} {
		if got := listen.HostName(in); got != want {
			t.Errorf("HostName(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, seed := range [][2]string{
		{awsHost, "/dev"},
		{awsHost + ":443", "/dev/@connections/Ab-C_d%3D"},
		{"localhost:3001", "/a1b2c3d4e5/dev/"},
		{"[::1]:80", "/%40connections/x"},
		{"a.execute-api.b", "//"},
		{"", ""},
		{"..", "/%2e%2e/dev"},
		{"localhost", "/zzzzzzzzzz/prod/@connections/%zz"},
	} {
		f.Add(seed[0], seed[1])
	}
	dir := two("a1b2c3d4e5", "prod", "dev")
	f.Fuzz(func(t *testing.T, host, path string) {
		got, err := listen.Resolve(dir, host, path)
		if err != nil {
			if got != (listen.Target{}) {
				t.Fatalf("target %+v beside the error %v", got, err)
			}
			if k := apigw.KindOf(err); k != apigw.KindForbidden && k != apigw.KindBadRequest {
				t.Fatalf("kind %d of %v", k, err)
			}
			return
		}
		id, isPush := strings.CutPrefix(got.Rest, "/@connections")
		switch {
		case got.Form == listen.FormNone:
			t.Fatal("no form")
		case got.Form == listen.FormConnection:
			if got.API != "" || !isPush {
				t.Fatalf("%+v", got)
			}
		case !slices.Contains(dir.ids(), got.API) || !slices.Contains(dir.Stages(got.API), got.Stage):
			t.Fatalf("%+v is not in the directory", got)
		}
		if got.Rest != "" && (!isPush || id == "/" || strings.LastIndexByte(id, '/') > 0) {
			t.Fatalf("rest %q", got.Rest)
		}
		if _, err := url.PathUnescape(got.Rest); err != nil {
			t.Fatalf("rest %q does not unescape: %v", got.Rest, err)
		}
		// The canonical address of what was found means the same.
		if got.Form != listen.FormConnection {
			again, err := listen.Resolve(dir, string(got.API)+".execute-api.eu-west-1.amazonaws.com", "/"+url.PathEscape(got.Stage)+got.Rest)
			if err != nil || again.API != got.API || again.Stage != got.Stage || again.Rest != got.Rest {
				t.Fatalf("%+v becomes %+v, %v", got, again, err)
			}
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	dir := two("", "prod")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := listen.Resolve(dir, awsHost, "/dev/@connections/Ab-C_d%3D"); err != nil {
			b.Fatal(err)
		}
	}
}

// Owns is what certificates are got for.
func TestOwns(t *testing.T) {
	t.Parallel()
	d := below{one("dev")}
	for host, want := range map[string]bool{"a1b2c3d4e5.ws.example.com": true, "bbbbbbbbbb.ws.example.com": false, "ws.example.com": false, "a1b2c3d4e5.example.com": false, awsHost: false} {
		if got := listen.Owns(d, host); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}
