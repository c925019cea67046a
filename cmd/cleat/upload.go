package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cleat/internal/awsclient"
	"cleat/internal/cfn"
	"cleat/internal/codezip"
	"cleat/internal/terminal"
)

// code is the code of some functions, ready to be sent.
type code struct {
	codezip.Package
	functions []string // logical IDs
}

// packFunctions packs the folders of a template's functions and has the template name the results. Functions with the same
// files share them.
func packFunctions(template *cfn.Value) (*cfn.Value, []*code, error) {
	packed := map[string]*code{}
	var all []*code
	var failed error
	out := mapValue(template, []string{"Resources"}, func(resources *cfn.Value) *cfn.Value {
		out := *resources
		out.Keys = append([]cfn.Entry{}, resources.Keys...)
		for i, e := range out.Keys {
			at := e.Value.Path("Properties", "Code", "LocalPath")
			if e.Value.Get("Type").Str() != "AWS::Lambda::Function" || at == nil {
				continue
			}
			patterns := textsOf(e.Value.Path("Metadata", "cleat", "Patterns"))
			key := at.Str() + "\x00" + strings.Join(patterns, "\x00")
			c := packed[key]
			if c == nil {
				pack, err := codezip.Folder(at.Str(), codezip.Options{Patterns: patterns})
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s: function %s: %w", e.Place, e.Key, err))
					continue
				}
				c = &code{Package: pack}
				packed[key] = c
				all = append(all, c)
			}
			c.functions = append(c.functions, e.Key)
			out.Keys[i].Value = mapValue(e.Value, []string{"Properties", "Code"}, func(v *cfn.Value) *cfn.Value {
				return cfn.MapOf(v.Place, "CleatSHA256", cfn.TextOf(at.Place, c.SHA256))
			})
		}
		return &out
	})
	return out, all, failed
}

// mapValue returns a copy of v in which the value at a path is what change makes of it. A path that leads nowhere changes
// nothing.
func mapValue(v *cfn.Value, path []string, change func(*cfn.Value) *cfn.Value) *cfn.Value {
	if v == nil {
		return nil
	}
	if len(path) == 0 {
		return change(v)
	}
	key, rest := path[0], path[1:]
	out := *v
	out.Keys = append([]cfn.Entry{}, v.Keys...)
	for i, e := range out.Keys {
		if e.Key == key {
			out.Keys[i].Value = mapValue(e.Value, rest, change)
		}
	}
	return &out
}

func textsOf(list *cfn.Value) []string {
	if !list.Is(cfn.List) {
		return nil
	}
	var out []string
	for _, item := range list.Items {
		out = append(out, item.Str())
	}
	return out
}

// upload sends code unless the node has it already.
func (a *applying) upload(c *code) error {
	path := "/_cleat/code/" + c.SHA256
	_, err := a.node.client.Do(a.p.ctx, awsclient.Request{Method: http.MethodHead, Path: path})
	if err == nil {
		return nil
	}
	if failed, ok := errors.AsType[*awsclient.Error](err); !ok || failed.Status != http.StatusNotFound {
		return fmt.Errorf("ask for the code of %s: %w", strings.Join(c.functions, ", "), inPlainWords(err))
	}
	progress := terminal.NewProgress(a.p.stderr, fmt.Sprintf("sending the code of %s (%s)", strings.Join(c.functions, ", "), count(c.Files, "file")), len(c.Zip))
	_, err = a.node.client.Do(a.p.ctx, awsclient.Request{
		Method: http.MethodPut, Path: path, Header: http.Header{"Content-Type": {"application/zip"}}, Body: c.Zip, Progress: progress.Sent,
	})
	progress.End()
	if err != nil {
		return fmt.Errorf("send the code of %s: %w", strings.Join(c.functions, ", "), inPlainWords(err))
	}
	return nil
}
