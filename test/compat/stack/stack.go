// Package stack makes a CloudFormation template of a scenario, so that its API can be deployed to AWS or to any emulator
// that reads templates. The API's functions become small forwarders: they pass each call on to the backends of the
// runner, wherever the user has made them reachable. It deploys nothing.
package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/project"
	"cleat/test/compat/runner"
	"cleat/test/compat/scenario"
)

// The parameter of a template, and the URL that stands for it while the template is being made.
const (
	parameter = "BackendURL"
	sentinel  = "http://backend.compat.invalid"
)

// forwarder is the code of every function.
const forwarder = `exports.handler = async (event) => {
  const answer = await fetch(process.env.BACKEND, { method: 'POST', body: JSON.stringify(event) });
  const text = await answer.text();
  if (answer.headers.get('x-amz-function-error')) {
    const failure = JSON.parse(text);
    const error = new Error(failure.errorMessage);
    error.name = failure.errorType || 'Error';
    throw error;
  }
  return text === '' ? undefined : JSON.parse(text);
};
`

// ErrVariableFunction says that a scenario names a function by a stage variable, which a template cannot follow.
var ErrVariableFunction = errors.New("a stage variable names a function, whose name in a stack is another")

var functionARN = regexp.MustCompile(`arn:aws:lambda:` + awsapi.DefaultRegion + `:` + awsapi.DefaultAccount + `:function:([A-Za-z0-9_-]+|\$\{)(?::([A-Za-z0-9_-]+))?`)

// maker makes one template.
type maker struct {
	stack     string
	scenario  string
	functions map[string]bool
	aliases   map[[2]string]bool
	err       error
}

// Template returns the template of a scenario as JSON. Its parameter BackendURL is where the runner's backends can be
// reached, its output Endpoint the URL for the runner's list of targets.
func Template(s *scenario.Scenario) ([]byte, error) {
	for _, n := range s.Needs {
		if n != scenario.NeedHost {
			return nil, fmt.Errorf("%s: %s", s.Name, n.Explain())
		}
	}
	resources, err := resources(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	m := &maker{stack: "compat-" + runner.StackName(s.Name), scenario: s.Name, functions: map[string]bool{}, aliases: map[[2]string]bool{}}
	for id, r := range resources {
		delete(r, "Metadata")
		if resources[id]["Properties"] = m.value(r["Properties"]); r["Type"] == "AWS::ApiGatewayV2::Api" {
			r["Properties"].(map[string]any)["Name"] = m.stack //nolint:errcheck,forcetypeassert // the project's template has it as a map
		}
	}
	m.addFunctions(resources)
	if m.err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, m.err)
	}
	return json.MarshalIndent(map[string]any{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              s.Title,
		"Parameters":               map[string]any{parameter: map[string]any{"Type": "String", "Description": "where the runner's backends can be reached, without a slash at the end"}},
		"Resources":                resources,
		"Outputs":                  map[string]any{"Endpoint": map[string]any{"Value": sub("wss://${WebsocketsApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${WebsocketsDeploymentStage}")}},
	}, "", "  ")
}

// resources reads the scenario's API as Cleat does.
func resources(s *scenario.Scenario) (map[string]map[string]any, error) {
	dir, err := os.MkdirTemp("", "cleat-compat-stack-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder of the system's own for such things
	backends := sentinel + "/" + s.Name
	api, err := scenario.NewVars(map[string]string{
		"backend": backends, "region": awsapi.DefaultRegion, "account": awsapi.DefaultAccount, "nowhere": "http://nowhere.compat.invalid",
	}).Expand(s.APIs[scenario.APIMain].Text)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "cleat.yaml"), []byte(runner.Definition(api, backends)), 0o600); err != nil {
		return nil, err
	}
	p, err := project.Load(dir, project.Options{})
	if err != nil {
		return nil, err
	}
	var template struct {
		Resources map[string]map[string]any
	}
	if err := json.Unmarshal(p.Template.AppendJSON(nil), &template); err != nil {
		return nil, err
	}
	return template.Resources, nil
}

func sub(text string) map[string]any { return map[string]any{"Fn::Sub": text} }

// value replaces what is of Cleat's making by what CloudFormation knows better: functions, the account, the backends.
func (m *maker) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			v[key] = m.value(member)
		}
	case []any:
		for i := range v {
			v[i] = m.value(v[i])
		}
	case string:
		return m.text(v)
	}
	return v
}

func (m *maker) text(s string) any {
	if !strings.Contains(s, sentinel) && !functionARN.MatchString(s) {
		return s
	}
	s = strings.ReplaceAll(s, "${", "${!")
	s = strings.ReplaceAll(s, sentinel, "${"+parameter+"}")
	s = functionARN.ReplaceAllStringFunc(s, func(arn string) string {
		found := functionARN.FindStringSubmatch(arn)
		if found[1] == "${" {
			m.err = ErrVariableFunction
			return arn
		}
		m.functions[found[1]] = true
		name := m.functionName(found[1])
		if found[2] != "" {
			m.aliases[[2]string{found[1], found[2]}] = true
			name += ":" + found[2]
		}
		return "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:" + name
	})
	return sub(strings.ReplaceAll(s, "arn:aws:apigateway:"+awsapi.DefaultRegion+":", "arn:${AWS::Partition}:apigateway:${AWS::Region}:"))
}

func (m *maker) functionName(name string) string { return m.stack + "-" + name }

var notAlphanumeric = regexp.MustCompile(`[^A-Za-z0-9]`)

// addFunctions adds the forwarders with what they need to run and to be called.
func (m *maker) addFunctions(resources map[string]map[string]any) {
	if len(m.functions) == 0 {
		return
	}
	add := func(id, kind string, properties map[string]any) {
		resources[id] = map[string]any{"Type": kind, "Properties": properties}
	}
	add("FunctionRole", "AWS::IAM::Role", map[string]any{
		"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
		}}},
		"ManagedPolicyArns": []any{sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")},
	})
	permit := func(id, target string, on ...string) {
		add(id, "AWS::Lambda::Permission", map[string]any{"FunctionName": target, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"})
		resources[id]["DependsOn"] = on
	}
	for _, name := range slices.Sorted(maps.Keys(m.functions)) {
		id := "Function" + notAlphanumeric.ReplaceAllString(name, "")
		add(id, "AWS::Lambda::Function", map[string]any{
			"FunctionName": m.functionName(name), "Runtime": "nodejs22.x", "Handler": "index.handler", "Timeout": 30,
			"Role": map[string]any{"Fn::GetAtt": []any{"FunctionRole", "Arn"}}, "Code": map[string]any{"ZipFile": forwarder},
			"Environment": map[string]any{"Variables": map[string]any{
				"BACKEND": sub("${" + parameter + "}/" + m.scenario + "/2015-03-31/functions/" + name + "/invocations"),
			}},
		})
		permit(id+"Permission", m.functionName(name), id)
	}
	for alias := range m.aliases {
		function := "Function" + notAlphanumeric.ReplaceAllString(alias[0], "")
		id := function + "Alias" + notAlphanumeric.ReplaceAllString(alias[1], "")
		add(id, "AWS::Lambda::Alias", map[string]any{"FunctionName": map[string]any{"Ref": function}, "FunctionVersion": "$LATEST", "Name": alias[1]})
		permit(id+"Permission", m.functionName(alias[0])+":"+alias[1], id)
	}
}
