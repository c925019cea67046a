package lambda

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"cleat/internal/apigw"
)

// environment is a set of variables by name.
type environment map[string]string

// get looks a variable up, without regard to case where the system has none.
func (e environment) get(name string) string {
	if v, ok := e[name]; ok || runtime.GOOS != "windows" {
		return v
	}
	for k, v := range e {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// list is the environment as exec.Cmd wants it.
func (e environment) list() []string {
	out := make([]string, 0, len(e))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		out = append(out, name+"="+e[name])
	}
	return out
}

// newBaseEnvironment is what all workers have in common: the pool's Env, defaults of the sandbox, credentials that
// satisfy an SDK where the user has none, and the options' own variables.
func newBaseEnvironment(o Options, dir string) environment {
	e := environment{"TZ": ":UTC", "LANG": "en_US.UTF-8"}
	given := environment{}
	for _, kv := range o.Env {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			given[name] = value
		}
	}
	keep := maps.Clone(given)
	delete(keep, "TZ") // the sandbox runs in UTC whatever the developer's clock shows
	delete(keep, "LANG")
	maps.Copy(e, keep)
	if !hasCredentials(given) {
		e["AWS_ACCESS_KEY_ID"], e["AWS_SECRET_ACCESS_KEY"], e["AWS_SESSION_TOKEN"] = "cleat", "cleat", "cleat"
	}
	e["AWS_XRAY_CONTEXT_MISSING"] = "LOG_ERROR"
	e["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand"
	e["AWS_LAMBDA_LOG_FORMAT"] = "Text"
	e["LAMBDA_RUNTIME_DIR"] = filepath.Join(dir, "runtime")
	maps.Copy(e, o.Capture.Endpoints)
	maps.Copy(e, o.ExtraEnv)
	return e
}

// hasCredentials tells whether an SDK would find credentials of the user's.
func hasCredentials(e environment) bool {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		if e.get(name) != "" {
			return true
		}
	}
	home := e.get("HOME")
	if runtime.GOOS == "windows" {
		home = e.get("USERPROFILE")
	}
	for name, file := range map[string]string{"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"} {
		path := e.get(name)
		if path == "" && home != "" {
			path = filepath.Join(home, ".aws", file)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return true
		}
	}
	return false
}

// workerEnvironment is the environment of one worker (spec lambda §4): the base, the user's own variables for the
// function, then what neither may change.
func (p *Pool) workerEnvironment(def apigw.Function, pl *plan, api string) []string {
	e := maps.Clone(p.base)
	own := environment(maps.Clone(def.Environment))
	maps.DeleteFunc(own, func(name, _ string) bool { return apigw.ReservedVariable(name) })
	maps.Copy(e, own)

	region := p.o.Region
	if parts := strings.SplitN(def.ARN, ":", 5); len(parts) == 5 && parts[3] != "" {
		region = parts[3]
	}
	maps.Copy(e, environment{
		"_HANDLER":                        def.Handler,
		"AWS_DEFAULT_REGION":              region,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(memorySize(def)),
		"AWS_LAMBDA_FUNCTION_NAME":        def.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     versionOf(def),
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + def.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      time.Now().UTC().Format("2006/01/02/") + "[" + versionOf(def) + "]" + randomHex(16),
		"AWS_LAMBDA_RUNTIME_API":          api,
		"AWS_REGION":                      region,
		"LAMBDA_TASK_ROOT":                def.CodeDir,
		"PWD":                             def.CodeDir,
	})
	p.applyCredentials(e, own)
	delete(e, "_X_AMZN_TRACE_ID") // set by the runtime for each invocation
	delete(e, "AWS_EXECUTION_ENV")
	if pl.language != languageOther {
		e["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + def.Runtime
	}
	if pl.language == languagePython {
		e["PYTHONUNBUFFERED"] = "1"
		e["PYTHONDONTWRITEBYTECODE"] = "1" // the task root is read-only on AWS, and watched for changes here
		e["PYTHONIOENCODING"] = "utf-8"
		e.prepend("PYTHONPATH", def.CodeDir)
	}
	p.capture.apply(e, own, pl.language)
	return e.list()
}

// prepend puts a folder before the others of a list.
func (e environment) prepend(name, dir string) {
	if old := e[name]; old != "" {
		dir += string(filepath.ListSeparator) + old
	}
	e[name] = dir
}
