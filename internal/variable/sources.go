package variable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

// knownSources are the variable sources that are answered here.
var knownSources = []string{"self", "opt", "env", "file", "param", "sls", "aws", "strToBool"}

// outsideSources are those that only AWS or another tool could answer, with what they name.
var outsideSources = map[string]string{
	"ssm":        "an SSM parameter",
	"cf":         "an output of another stack",
	"s3":         "an object in S3",
	"git":        "a fact of the git repository",
	"output":     "an output of another service",
	"state":      "a state of the Serverless dashboard",
	"secrets":    "a secret of the Serverless dashboard",
	"terraform":  "a Terraform output",
	"vault":      "a Vault secret",
	"doppler":    "a Doppler secret",
	"kms":        "a KMS secret",
	"secretsmgr": "a secret",
}

func (r *Resolver) region() string {
	if r.scope.Region != "" {
		return r.scope.Region
	}
	return awsapi.DefaultRegion
}

// source asks one source.
func (r *Resolver) source(s *source, at cfn.Place) found {
	switch s.kind {
	case sourceCall:
	case sourceText:
		return found{value: cfn.TextOf(at, s.name)}
	case sourceLiteral:
		return found{value: literal(s.name, at)}
	case sourceNested:
		return found{value: r.variable(s.nested, at)}
	}
	address, ok, broken := r.join(s.address, at)
	if !ok {
		return found{value: broken}
	}
	switch s.name {
	case "self":
		return r.self(address, at)
	case "opt":
		return r.opt(address, at)
	case "env":
		if val, ok := r.env[address]; ok {
			return found{value: cfn.TextOf(at, val)}
		}
		return found{why: "set " + address + " in the environment, in .env or with --env-file, or give a default, as in ${env:" + address + ", ''}"}
	case "param":
		return r.param(address, at)
	case "sls":
		return r.sls(address, at)
	case "aws":
		if f := r.byParam(s, nil, address, at); f.value != nil {
			return f
		}
		return r.aws(address, at)
	}
	params := make([]string, len(s.params))
	for i := range s.params {
		if params[i], ok, broken = r.join(s.params[i], at); !ok {
			return found{value: broken}
		}
	}
	switch s.name {
	case "file":
		return r.file(params, address, at)
	case "strToBool":
		return r.strToBool(params, at)
	}
	if f := r.byParam(s, params, address, at); f.value != nil {
		return f
	}
	return r.outside(s.name, address)
}

// byParam answers for a source that only AWS or another tool could ask: --param gives the value under the whole address,
// with or without the region that it names.
func (r *Resolver) byParam(s *source, params []string, address string, at cfn.Place) found {
	names := []string{s.name + ":" + address}
	if s.region != "" {
		names = append(names, s.name+"."+s.region+":"+address)
	}
	if len(params) > 0 {
		names = append(names, s.name+"("+strings.Join(params, ", ")+"):"+address)
	}
	for _, name := range names {
		if val, ok := r.scope.Params[name]; ok {
			return found{value: cfn.TextOf(at, val)}
		}
	}
	return found{}
}

func literal(word string, at cfn.Place) *cfn.Value {
	switch word {
	case "null":
		return &cfn.Value{Kind: cfn.Null, Place: at}
	case "true", "false":
		return cfn.BoolOf(at, word == "true")
	}
	return &cfn.Value{Kind: cfn.Number, Text: word, Place: at}
}

func (r *Resolver) self(address string, at cfn.Place) found {
	if val, ok := r.Given[address]; ok {
		return found{value: cfn.TextOf(at, val)}
	}
	keys, err := splitAddress(address)
	if err != nil {
		return found{why: err.Error()}
	}
	if len(keys) == 0 {
		return found{value: r.root}
	}
	service := r.root.Get("service")
	if len(keys) == 1 && keys[0] == "service" && service.Is(cfn.Map) {
		keys = []string{"service", "name"}
	} else if len(keys) == 2 && keys[0] == "service" && keys[1] == "name" && !service.Is(cfn.Map) {
		keys = keys[:1]
	}
	if val := r.At(r.root, keys...); val != nil {
		return found{value: val}
	}
	return found{why: "there is no " + strings.Join(keys, ".") + " in " + r.root.At().File + r.nearKey(keys)}
}

// nearKey names the key that the first unknown one of an address was most likely meant to be.
func (r *Resolver) nearKey(keys []string) string {
	v := r.Value(r.root)
	for _, k := range keys {
		if !v.Is(cfn.Map) {
			return ""
		}
		if v.Get(k) == nil {
			known := make([]string, len(v.Keys))
			for i, e := range v.Keys {
				known[i] = e.Key
			}
			if n := input.Nearest(k, known); n != "" {
				return "; did you mean " + n + "?"
			}
			return ""
		}
		v = r.Value(v.Get(k))
	}
	return ""
}

func (r *Resolver) opt(name string, at cfn.Place) found {
	val, ok := r.scope.Opt[name]
	switch {
	case name == "stage" && r.scope.Stage != "":
		val, ok = r.scope.Stage, true
	case name == "region" && r.scope.Region != "":
		val, ok = r.scope.Region, true
	}
	if !ok {
		return found{why: "--" + name + " is not given and there is no default, as in ${opt:" + name + ", 'x'}"}
	}
	return found{value: cfn.TextOf(at, val)}
}

// param answers ${param:x}: --param, then the stage's params, then those of all stages (params or, in version 4, stages).
func (r *Resolver) param(name string, at cfn.Place) found {
	if val, ok := r.scope.Params[name]; ok {
		return found{value: cfn.TextOf(at, val)}
	}
	for _, stage := range []string{r.Stage, "default"} {
		for _, path := range [][]string{{"stages", stage, "params", name}, {"params", stage, name}} {
			if val := r.At(r.root, path...); val != nil {
				return found{value: val}
			}
		}
	}
	return found{why: "give --param " + name + "=…, or set it under params.default"}
}

func (r *Resolver) sls(name string, at cfn.Place) found {
	switch name {
	case "stage":
		if r.Stage != "" {
			return found{value: cfn.TextOf(at, r.Stage)}
		}
		return found{value: cfn.TextOf(at, DefaultStage)}
	case "instanceId":
		return found{value: cfn.TextOf(at, "local")}
	}
	return found{why: "sls knows stage and instanceId"}
}

func (r *Resolver) aws(name string, at cfn.Place) found {
	switch name {
	case "accountId":
		return found{value: cfn.TextOf(at, awsapi.DefaultAccount)}
	case "region":
		if f := r.self("provider.region", at); f.value != nil {
			return f
		}
		return found{}
	case "partition":
		return found{value: cfn.TextOf(at, "aws")}
	}
	return found{why: "aws knows accountId, region and partition; give --param \"aws:" + name + "=…\""}
}

// strToBool follows the framework: "true" and "1" are true, "false", "0" and "" are false.
func (r *Resolver) strToBool(params []string, at cfn.Place) found {
	if len(params) == 1 {
		switch strings.ToLower(strings.TrimSpace(params[0])) {
		case "true", "1":
			return found{value: cfn.BoolOf(at, true)}
		case "false", "0", "", "null":
			return found{value: cfn.BoolOf(at, false)}
		}
	}
	return found{why: "strToBool takes true, false, 1 or 0, not " + strings.Join(params, ", ")}
}

func (r *Resolver) file(params []string, address string, at cfn.Place) found {
	if len(params) != 1 || params[0] == "" {
		return found{why: "file takes one path, as in ${file(./config.yml):key}"}
	}
	name := params[0]
	if strings.HasPrefix(name, "~") {
		home := r.env["HOME"]
		if home == "" {
			return found{why: "~ has no meaning without HOME in the environment"}
		}
		name = home + name[1:]
	}
	if strings.ContainsRune(name, 0) {
		return found{why: "the path has a zero byte in it"}
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".js", ".cjs", ".mjs":
		return r.program(name, address, at)
	case ".ts", ".cts", ".mts":
		return found{
			why:     name + " is a TypeScript program, which Cleat does not run here: compile it to .js, put the values into a .yml or .json file, or give a default",
			outside: true,
		}
	case ".yml", ".yaml", ".json", ".tfstate":
		return r.dataFile(name, address)
	}
	text, err := r.scope.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found{why: "there is no file " + name}
	case err != nil:
		return found{why: name + " cannot be read: " + input.Plain(err).Error()}
	case address != "":
		return found{why: name + " is plain text: an address has a meaning in .yml and .json files only"}
	}
	return found{value: cfn.TextOf(at, strings.TrimRight(string(text), " \t\r\n"))}
}

func (r *Resolver) dataFile(name, address string) found {
	if _, err := os.Stat(r.scope.Abs(name)); errors.Is(err, fs.ErrNotExist) {
		r.scope.Watch(name)
		return found{why: "there is no file " + name + " (paths are relative to the project's folder)"}
	}
	root := r.scope.Parse(name)
	switch {
	case root == nil && r.scope.Unread(name):
		v := &cfn.Value{}
		r.broken[v] = breakage{hard: true} // its faults are noted
		return found{value: v}
	case root == nil:
		return found{why: name + " is empty"}
	}
	keys, err := splitAddress(address)
	if err != nil {
		return found{why: err.Error()}
	}
	if val := r.At(root, keys...); val != nil {
		return found{value: val}
	}
	return found{why: "there is no " + address + " in " + name}
}

func (r *Resolver) outside(name, address string) found {
	what, ok := outsideSources[name]
	if !ok {
		if k := input.Nearest(name, knownSources); k != "" {
			return found{why: "there is no source " + name + "; did you mean " + k + "?"}
		}
		return found{why: "Cleat knows no source " + name + ": give --param \"" + name + ":" + address + "=…\", or a default, as in ${" + name + ":" + address + ", 'x'}", outside: true}
	}
	return found{
		why:     what + " is not looked up: give --param \"" + name + ":" + address + "=…\", or a default, as in ${" + name + ":" + address + ", 'x'}",
		outside: true,
	}
}
