// Package lambdaapi is the Lambda service (2015-03-31 and its later paths): what the AWS CLI, the SDKs, Terraform and CDK do
// with functions, their versions, aliases and permissions, and Invoke (spec lambda §1). It is a table of operations; the
// rules are those of control/functions, the code goes to codestore, and calls to the node's Invoker.
//
// It also has the two operations by which "cleat apply" sends code (CodeService).
package lambdaapi

import (
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/codestore"
	"cleat/internal/control/functions"
	"cleat/internal/controlapi"
	"cleat/internal/store"
)

// Options are what the service needs of the node.
type Options struct {
	Functions *functions.Functions
	Code      *codestore.Store
	Invoker   awsapi.Invoker
}

type service struct{ Options }

const (
	root   = "/2015-03-31/functions"
	one    = root + "/{FunctionName}"
	policy = one + "/policy"
	alias  = one + "/aliases/{Name}"
	tags   = "/2017-03-31/tags/{Resource}"

	// maxUpload is a zip file of the greatest size in base64, and what stands around it.
	maxUpload = apigw.QuotaFunctionZip/3*4 + 64<<10
)

// Service returns Lambda's API.
func Service(o Options) controlapi.Service {
	s := &service{o}
	read := func(name, method, path string, do func(*controlapi.Call) (controlapi.Answer, error)) controlapi.Operation {
		return controlapi.Operation{Name: name, Method: method, Path: path, Action: "lambda:" + name, Resource: resource, Do: do}
	}
	change := func(name, method, path string, do func(*controlapi.Call) (controlapi.Answer, error)) controlapi.Operation {
		op := read(name, method, path, do)
		op.Changes = true
		op.Resource = func(c *controlapi.Call) string { return strings.TrimSuffix(resource(c), ":"+apigw.VersionLatest) }
		return op
	}
	operations := slices.Concat(s.functionOperations(read, change), s.versionOperations(read, change), []controlapi.Operation{
		change("AddPermission", "POST", policy, s.addPermission),
		read("GetPolicy", "GET", policy, s.getPolicy),
		change("RemovePermission", "DELETE", policy+"/{StatementId}", s.removePermission),
		read("ListTags", "GET", tags, s.listTags),
		change("TagResource", "POST", tags, s.tagResource),
		change("UntagResource", "DELETE", tags, s.untagResource),
		invoke(read("Invoke", "POST", one+"/invocations", s.invoke)),
	})
	return controlapi.Service{Name: "lambda", Operations: operations, WriteError: awsapi.WriteLambdaError}
}

// maker makes an operation of the table.
type maker = func(name, method, path string, do func(*controlapi.Call) (controlapi.Answer, error)) controlapi.Operation

func (s *service) functionOperations(read, change maker) []controlapi.Operation {
	all := []controlapi.Operation{
		named(upload(change("CreateFunction", "POST", root, s.createFunction))),
		named(upload(change("CreateFunction", "POST", root+"/{$}", s.createFunction))), // older SDKs write it so
		read("ListFunctions", "GET", root, s.listFunctions),
		read("ListFunctions", "GET", root+"/{$}", s.listFunctions),
		read("GetFunction", "GET", one, s.getFunction),
		change("DeleteFunction", "DELETE", one, s.deleteFunction),
		read("GetFunctionConfiguration", "GET", one+"/configuration", s.getConfiguration),
		change("UpdateFunctionConfiguration", "PUT", one+"/configuration", s.updateConfiguration),
		upload(change("UpdateFunctionCode", "PUT", one+"/code", s.updateCode)),
		read("GetAccountSettings", "GET", "/2016-08-19/account-settings", s.getAccountSettings),
		read("GetAccountSettings", "GET", "/2016-08-19/account-settings/{$}", s.getAccountSettings),

		read("GetFunctionConcurrency", "GET", "/2019-09-30/functions/{FunctionName}/concurrency", s.getConcurrency),
		change("PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{FunctionName}/concurrency", s.putConcurrency),
		change("DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", s.deleteConcurrency),

		read("GetRuntimeManagementConfig", "GET", "/2021-07-20/functions/{FunctionName}/runtime-management-config", s.getRuntimeManagement),
		read("GetFunctionEventInvokeConfig", "GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config", s.absent("The function %s doesn't have an EventInvokeConfig")),
		read("GetFunctionUrlConfig", "GET", "/2021-10-31/functions/{FunctionName}/url", s.absent("The function %s has no URL")),
	}
	return slices.Concat(all, s.keptOperations(read, change))
}

func (s *service) versionOperations(read, change maker) []controlapi.Operation {
	return []controlapi.Operation{
		change("PublishVersion", "POST", one+"/versions", s.publishVersion),
		read("ListVersionsByFunction", "GET", one+"/versions", s.listVersions),
		change("CreateAlias", "POST", one+"/aliases", s.createAlias),
		read("ListAliases", "GET", one+"/aliases", s.listAliases),
		read("GetAlias", "GET", alias, s.getAlias),
		change("UpdateAlias", "PUT", alias, s.updateAlias),
		change("DeleteAlias", "DELETE", alias, s.deleteAlias),
	}
}

// upload gives an operation room for code.
func upload(op controlapi.Operation) controlapi.Operation {
	op.MaxBody = maxUpload
	return op
}

// named makes an operation's ARN that of the function which its body names.
func named(op controlapi.Operation) controlapi.Operation {
	op.Named = func(c *controlapi.Call) string {
		var in struct{ FunctionName string } // as the operation reads it
		if c.JSON(&in) != nil {
			return ""
		}
		n, err := awsapi.ParseFunctionName(in.FunctionName)
		if err != nil {
			return ""
		}
		return awsapi.FunctionARN(c.Region, c.Account, n.Name)
	}
	return op
}

// resource is the ARN that a call is about: the function's, with a qualifier where the call has one. Where it changes
// something, $LATEST is the function itself, and what denies one must not be got round by the other.
func resource(c *controlapi.Call) string {
	given := c.Path("FunctionName")
	if given == "" {
		given = c.Path("Resource") // of tags
	}
	if given == "" {
		return "*"
	}
	n, err := awsapi.ParseFunctionName(given)
	if err != nil {
		return awsapi.FunctionARN(c.Region, c.Account, given)
	}
	arn := awsapi.FunctionARN(c.Region, c.Account, n.Name)
	if q := c.Query("Qualifier"); q != "" {
		n.Qualifier = q
	}
	if n.Qualifier != "" {
		arn += ":" + n.Qualifier
	}
	return arn
}

// target is the function that a call is about.
type target struct {
	name, qualifier string // the latter empty where neither the path nor the query has one
	arn             string // of the function, without the qualifier
}

// qualified is the ARN with the qualifier, where there is one.
func (t target) qualified() string {
	if t.qualifier == "" {
		return t.arn
	}
	return t.arn + ":" + t.qualifier
}

// target reads the function's name in the path, which may be an ARN or a part of one. Region and account are not looked
// at: the node poses to be in one of each.
func (s *service) target(c *controlapi.Call, given string) (target, error) {
	n, err := awsapi.ParseFunctionName(given)
	if err != nil {
		return target{}, &apigw.Error{Kind: apigw.KindBadRequest, Message: err.Error()}
	}
	q := c.Query("Qualifier")
	if q != "" && n.Qualifier != "" && q != n.Qualifier {
		return target{}, &apigw.Error{Kind: apigw.KindBadRequest, Message: "The derived qualifier from the function name does not match the specified qualifier."}
	}
	if q == "" {
		q = n.Qualifier
	}
	return target{n.Name, q, awsapi.FunctionARN(c.Region, c.Account, n.Name)}, nil
}

// tree returns the function that a call is about, with all that belongs to it.
func (s *service) tree(c *controlapi.Call) (target, *store.FunctionTree, error) {
	at, err := s.target(c, c.Path("FunctionName"))
	if err != nil {
		return at, nil, err
	}
	t, err := s.Functions.Tree(c.Context, at.name, at.arn)
	return at, t, err
}

// page is the part of a list that a call asks for with Marker and MaxItems, at most 50 items by default and 10,000 in any
// case, and the marker of the next part; key tells items apart.
func page[T any](c *controlapi.Call, all []T, key func(*T) string) ([]T, string, error) {
	size := 50
	if text := c.Query("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10_000 {
			return nil, "", &apigw.Error{Kind: apigw.KindBadRequest, Message: "MaxItems must be from 1 to 10000"}
		}
		size = n
	}
	if marker := c.Query("Marker"); marker != "" {
		i := slices.IndexFunc(all, func(v T) bool { return key(&v) == marker })
		if i < 0 {
			return nil, "", &apigw.Error{Kind: apigw.KindBadRequest, Message: "Marker does not belong to this list, or what it marked is gone: begin anew"}
		}
		all = all[i+1:]
	}
	if len(all) <= size {
		return all, "", nil
	}
	return all[:size], key(&all[size-1]), nil
}
