package project

import (
	"path/filepath"
	"slices"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/input"
)

// Override is a setting that the command line makes in place of the file.
type Override struct {
	Setting string   // its keys, with points between them: "public.listen"
	Values  []string // one, or the items of a list
	From    string   // the flag, for faults
}

// NodeSettings are what a cleat.yaml says of a node, for "cleat serve".
type NodeSettings struct {
	config.Node
	Region string // empty: nothing said
	// Definitions are the file's settings that define an API, which a node is not told in this way.
	Definitions []string
	Warnings    []cfn.Fault
	// Files are the absolute paths of the files that were read or looked for, as in Project.
	Files []string
}

// LoadNode reads the node's settings of a cleat.yaml, and nothing else in it: variables in its routes are not resolved. An
// empty path means that there is no file, only the overrides. Of the options the environment and EnvFile count. The error
// is a cfn.Faults; those of an override name its flag.
func LoadNode(path string, o Options, overrides []Override) (*NodeSettings, error) {
	l := newLoader(o)
	dir, file := ".", ""
	if path != "" {
		dir, file = filepath.Split(path)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	l.Dir = input.RealPath(abs)
	raw := &cfn.Value{Kind: cfn.Map, Place: cfn.Place{File: file}}
	if file != "" {
		l.Watch(file)
		switch v := l.Parse(file); {
		case v.Is(cfn.Map):
			raw = v
		case v != nil:
			l.Faultf(v.Place, "%s is a map of settings, not %s", file, v.Kind)
		}
	}
	out := &NodeSettings{}
	for _, e := range raw.Entries() {
		if slices.Contains(cleatSettings[""], e.Key) && !slices.Contains(sharedSettings, e.Key) {
			out.Definitions = append(out.Definitions, e.Key)
		}
	}
	s := &short{loader: l, p: &Project{}}
	s.resolve(raw, slices.Concat(config.Settings[""], sharedSettings))
	l.CheckKeys(raw, filepath.Base(file), slices.Concat(cleatSettings[""], config.Settings[""]))
	for _, over := range overrides {
		s.root.Set(overrideOf(s.root, strings.Split(over.Setting, "."), over))
	}
	if text, ok := l.Text(s.root.Get("region"), "region"); ok {
		out.Region = text
		l.vars.CheckRegion(text, s.root.Get("region").At())
		s.p.Region = text
	}
	out.Node = config.Read(l.Reading, s.root, s.p.Region, s.r.IsBroken)
	out.Warnings, out.Files = l.Warnings, l.Files()
	return out, l.Err()
}

// sharedSettings mean the same to a node and to a project.
var sharedSettings = []string{"region", "envFile"}

// overrideOf is the entry of v at the first of the keys, with the override's value at the last of them.
func overrideOf(v *cfn.Value, keys []string, o Override) cfn.Entry {
	at := cfn.Place{File: o.From}
	e := cfn.Entry{Key: keys[0], Place: at}
	if len(keys) > 1 {
		m := &cfn.Value{Kind: cfn.Map, Place: at}
		if old := v.Get(keys[0]); old.Is(cfn.Map) {
			m.Place, m.Keys = old.Place, slices.Clone(old.Keys)
		} else if text, ok := old.Scalar(); ok && text != "" {
			m.Keys = []cfn.Entry{{Key: shortFor[keys[0]], Place: old.Place, Value: old}} // the short form of a map
		}
		m.Set(overrideOf(m, keys[1:], o))
		e.Value = m
		return e
	}
	items := make([]*cfn.Value, len(o.Values))
	for i, text := range o.Values {
		items[i] = cfn.TextOf(at, text)
	}
	e.Value = cfn.ListOf(at, items...)
	if len(items) == 1 {
		e.Value = items[0]
	}
	return e
}

// shortFor is what a text means that stands for a map.
var shortFor = map[string]string{"limits": "profile", "access": "to", "execution": "to"}
