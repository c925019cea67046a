package backend

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/jsonpath"
)

// RemoteLambdaOptions say where functions run and who calls them. The zero value means the real Lambda, with the
// region and the credentials of the AWS SDK's usual sources.
type RemoteLambdaOptions struct {
	// Endpoint is the base URL of a Lambda Invoke API, or the whole URL of one function, which ends in /invocations, as
	// Runtime Interface Emulators have it. Empty: Lambda's own endpoint in the region.
	Endpoint string
	Region   string // empty: that of the SDK's sources, or else DefaultRegion when Endpoint is set
	Profile  string // of the shared configuration; empty: that of the SDK's sources
	Unsigned bool   // send no signature and look for no credentials
	// Credentials sign the calls. Nil: the SDK's sources (environment, shared files, SSO, instance roles).
	Credentials aws.CredentialsProvider
	// HTTP adjusts the connections. Its zero MaxBody means Lambda's payload quota here, its zero ResponseHeaderTimeout
	// the longest life of a function, 15 minutes.
	HTTP HTTPOptions
}

const (
	invokePath   = "/2015-03-31/functions/"
	invokeTail   = "/invocations"
	longestCall  = 15 * time.Minute
	errorExcerpt = 512 // bytes of an unexpected answer that an error quotes
)

// RemoteLambda invokes functions over Lambda's Invoke API: Lambda itself, an emulator, or a Runtime Interface Emulator
// (spec lambda §1). It is safe for concurrent use; Close it to let go of its idle connections.
type RemoteLambda struct {
	http        *HTTP
	endpoint    *url.URL // nil: Lambda's own
	single      bool     // endpoint is the whole URL of one function
	region      string
	credentials aws.CredentialsProvider // nil: unsigned
	signer      awsapi.SigV4
}

var _ awsapi.Invoker = (*RemoteLambda)(nil)

// NewRemoteLambda reads the configuration that the options leave to the AWS SDK; ctx bounds that. No call is made.
func NewRemoteLambda(ctx context.Context, o RemoteLambdaOptions) (*RemoteLambda, error) {
	l := &RemoteLambda{region: o.Region, credentials: o.Credentials}
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("endpoint of remote functions: %w", err)
		}
		if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("endpoint of remote functions %q: want an http or https URL without a query, such as http://localhost:9000", o.Endpoint)
		}
		l.endpoint, l.single = u, strings.HasSuffix(u.Path, invokeTail)
	}
	if !o.Unsigned && (l.credentials == nil || l.region == "" && l.endpoint == nil) {
		cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(o.Region), config.WithSharedConfigProfile(o.Profile))
		if err != nil {
			return nil, fmt.Errorf("read the AWS configuration: %w", err)
		}
		if l.credentials == nil {
			l.credentials = cfg.Credentials
		}
		l.region = or(l.region, cfg.Region)
	}
	if o.Unsigned {
		l.credentials = nil
	}
	if l.region == "" {
		if l.endpoint == nil {
			return nil, errors.New("no AWS region: set one for the remote functions, or AWS_REGION")
		}
		l.region = awsapi.DefaultRegion
	}
	o.HTTP.MaxBody = or(o.HTTP.MaxBody, apigw.QuotaLambdaPayload+1024)
	o.HTTP.ResponseHeaderTimeout = or(o.HTTP.ResponseHeaderTimeout, longestCall)
	l.http = NewHTTP(o.HTTP)
	return l, nil
}

// Close lets go of idle connections. Calls under way go on.
func (l *RemoteLambda) Close() { l.http.Close() }

// Invoke implements awsapi.Invoker. A name that bears DefaultAccount, which is Cleat's stand-in and nobody's account,
// is sent as the plain name, so that it means the function of the caller's own account.
func (l *RemoteLambda) Invoke(ctx context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error) {
	var none awsapi.InvocationResult
	u, region, err := l.target(call.Function)
	if err != nil {
		return none, &apigw.Error{Kind: apigw.KindFunctionNotFound, Err: err}
	}
	req := &Request{Method: http.MethodPost, URL: u, Body: call.Payload, Header: headers(&call)}
	if err := l.sign(ctx, req, region); err != nil {
		return none, &apigw.Error{Kind: apigw.KindInternal, Err: fmt.Errorf("sign the call of function %s: %w", call.Function, err)}
	}
	resp, err := l.http.Do(ctx, req)
	if err != nil {
		// The callers of Invoke know kinds of Lambda's and tell a time-out of theirs by ctx.
		return none, &apigw.Error{Kind: apigw.KindInternal, Err: fmt.Errorf("invoke function %s: %w", call.Function, err)}
	}
	if resp.Status < 200 || resp.Status > 299 {
		return none, refusal(call.Function, req, resp)
	}
	return result(resp)
}

// target returns the URL for a function and the region to sign for.
func (l *RemoteLambda) target(function string) (*url.URL, string, error) {
	if l.single {
		return l.endpoint, l.region, nil
	}
	name, err := awsapi.ParseFunctionName(function)
	if err != nil {
		return nil, "", err
	}
	region := l.region
	if name.Account == "" || name.Account == awsapi.DefaultAccount {
		function = name.Name
		if name.Qualifier != "" {
			function += ":" + name.Qualifier
		}
	} else if name.Region != "" {
		region = name.Region
	}
	base := l.endpoint
	if base == nil {
		suffix := ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			suffix = ".amazonaws.com.cn"
		}
		base = &url.URL{Scheme: "https", Host: "lambda." + region + suffix}
	}
	// The SDKs escape colons in the name, and the signature covers the path as it is sent.
	u := *base
	path := strings.TrimSuffix(base.EscapedPath(), "/") + invokePath
	u.RawPath = path + strings.ReplaceAll(url.PathEscape(function), ":", "%3A") + invokeTail
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, "", fmt.Errorf("function %s: %w", function, err)
	}
	return &u, region, nil
}

func headers(call *awsapi.Invocation) apigw.Fields {
	h := apigw.Fields{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: "cleat"},
		{Name: "X-Amz-Invocation-Type", Value: string(or(call.Type, awsapi.InvokeRequestResponse))},
	}
	if call.LogTail {
		h = append(h, apigw.Field{Name: "X-Amz-Log-Type", Value: "Tail"})
	}
	if call.TraceID != "" {
		h = append(h, apigw.Field{Name: "X-Amzn-Trace-Id", Value: call.TraceID})
	}
	if len(call.ClientContext) > 0 {
		h = append(h, apigw.Field{Name: "X-Amz-Client-Context", Value: base64.StdEncoding.EncodeToString(call.ClientContext)})
	}
	return h
}

// sign adds a SigV4 signature to a request's headers.
func (l *RemoteLambda) sign(ctx context.Context, r *Request, region string) error {
	if l.credentials == nil {
		return nil
	}
	who, err := l.credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("get AWS credentials (or set the remote functions to be called unsigned): %w", err)
	}
	sign(&l.signer, r, "lambda", region, ours(who))
	return nil
}

// kinds are Lambda's statuses that the callers of Invoke tell apart (spec lambda §1).
var kinds = map[int]apigw.Kind{
	http.StatusForbidden:             apigw.KindAccessDenied,
	http.StatusNotFound:              apigw.KindFunctionNotFound,
	http.StatusRequestEntityTooLarge: apigw.KindPayloadTooLarge,
	http.StatusTooManyRequests:       apigw.KindFunctionConcurrency,
}

// refusal is an answer that says the function was not run.
func refusal(function string, r *Request, resp *Response) error {
	errType, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	message := ""
	if jsonpath.Valid(resp.Body) {
		body := gjson.ParseBytes(resp.Body)
		if errType == "" {
			errType = afterHash(body.Get("__type").Str)
		}
		if message = body.Get("message").Str; message == "" {
			message = body.Get("Message").Str
		}
	}
	if message == "" {
		message = excerpt(string(resp.Body))
	}
	kind, ok := kinds[resp.Status]
	switch {
	case ok:
	case errType == "InvalidRequestContentException":
		kind = apigw.KindInvalidContent
	default:
		kind = apigw.KindInternal
	}
	return &apigw.Error{Kind: kind, Err: fmt.Errorf("invoke function %s: %s answered %d %s: %s", function, describe(r), resp.Status, errType, message)}
}

// afterHash is what stands behind the last # of a type, "com.amazonaws.lambda#ServiceException": all of one without.
func afterHash(errType string) string { return errType[strings.LastIndexByte(errType, '#')+1:] }

func result(resp *Response) (awsapi.InvocationResult, error) {
	out := awsapi.InvocationResult{
		Payload:         resp.Body,
		FunctionError:   resp.Header.Get("X-Amz-Function-Error"),
		RequestID:       resp.Header.Get("X-Amzn-Requestid"),
		ExecutedVersion: resp.Header.Get("X-Amz-Executed-Version"),
	}
	if tail := resp.Header.Get("X-Amz-Log-Result"); tail != "" {
		log, err := base64.StdEncoding.DecodeString(tail)
		if err != nil {
			return out, &apigw.Error{Kind: apigw.KindInternal, Err: fmt.Errorf("read the log tail of the function's answer: %w", err)}
		}
		out.LogTail = log
	}
	if out.FunctionError != "" {
		out.Cause = cause(out.FunctionError, resp.Body)
	}
	return out, nil
}

// cause puts a function's error payload (spec lambda §2) into one line.
func cause(kind string, payload []byte) string {
	if !jsonpath.Valid(payload) {
		return kind
	}
	p := gjson.ParseBytes(payload)
	text := p.Get("errorMessage").String()
	if t := p.Get("errorType").String(); t != "" {
		text = t + ": " + text
	}
	if text == "" {
		return kind
	}
	for _, path := range []string{"trace.1", "stackTrace.0"} { // Node's and Python's innermost line
		if at := strings.Join(strings.Fields(p.Get(path).String()), " "); at != "" {
			return text + " (" + at + ")"
		}
	}
	return text
}
