package expr

import "strings"

// Kind says which property an expression belongs to, and with it which variables it may use.
type Kind uint8

// The kinds of spec data-plane §4.2.
const (
	Route               Kind = iota + 1 // routeSelectionExpression of an API
	APIKey                              // apiKeySelectionExpression of an API
	Model                               // modelSelectionExpression of a route
	IntegrationResponse                 // integrationResponseSelectionExpression of an integration
	Template                            // templateSelectionExpression of an integration
	ResponseTemplate                    // templateSelectionExpression of an integration response
	RouteResponse                       // routeResponseSelectionExpression of a route
	APIMapping                          // apiMappingSelectionExpression of a domain name
)

// source is where a part of an expression takes its text from.
type source uint8

const (
	static source = iota
	requestBody
	requestHeader
	requestBasePath
	usageIdentifierKey
	responseStatusCode
	responseHeader
	responseMultiValueHeader
	responseErrorMessage
)

// rule is what one kind permits.
type rule struct {
	property string
	sources  []source
	// fixed lists the only legal texts; sources is of no account then.
	fixed []string
	// bareDefault allows $default without its backslash.
	bareDefault bool
	allowed     string // the last part of an error message
}

const (
	bodyForm     = "$request.body.{path}"
	statusForm   = "${integration.response.statuscode}"
	headerForm   = "${integration.response.header.{name}}"
	multiForm    = "${integration.response.multivalueheader.{name}}"
	errorForm    = "${integration.response.body.errorMessage}"
	apiKeyForm   = "$request.header.x-api-key"
	usageKeyForm = "$context.authorizer.usageIdentifierKey"
	basePathForm = "$request.basepath"
	defaultForm  = "$default"
)

var rules = [...]rule{
	Route: {property: "routeSelectionExpression", sources: []source{requestBody}, allowed: bodyForm + " and static text"},
	APIKey: {
		property: "apiKeySelectionExpression", sources: []source{requestHeader, usageIdentifierKey},
		fixed:   []string{apiKeyForm, usageKeyForm, braced(apiKeyForm), braced(usageKeyForm)},
		allowed: apiKeyForm + " or " + usageKeyForm,
	},
	Model: {property: "modelSelectionExpression", sources: []source{requestBody}, bareDefault: true, allowed: bodyForm + " and static text"},
	IntegrationResponse: {
		property: "integrationResponseSelectionExpression",
		sources:  []source{responseStatusCode, responseHeader, responseMultiValueHeader, responseErrorMessage},
		allowed:  strings.Join([]string{statusForm, headerForm, multiForm, errorForm}, ", ") + " and static text",
	},
	Template: {property: "templateSelectionExpression", sources: []source{requestBody}, bareDefault: true, allowed: bodyForm + " and static text"},
	ResponseTemplate: {
		property: "templateSelectionExpression", bareDefault: true,
		sources: []source{requestBody, responseStatusCode, responseHeader, responseMultiValueHeader},
		allowed: strings.Join([]string{bodyForm, statusForm, headerForm, multiForm}, ", ") + " and static text",
	},
	RouteResponse: {property: "routeResponseSelectionExpression", fixed: []string{defaultForm}, bareDefault: true, allowed: defaultForm},
	APIMapping: {
		property: "apiMappingSelectionExpression", sources: []source{requestBasePath},
		fixed: []string{basePathForm, braced(basePathForm)}, allowed: basePathForm,
	},
}

// braced turns $path into ${path}: both mean the same when they stand alone.
func braced(s string) string { return "${" + s[1:] + "}" }

func (k Kind) rule() *rule {
	if k == 0 || int(k) >= len(rules) {
		return nil
	}
	return &rules[k]
}

// String returns the name of the property that holds expressions of this kind.
func (k Kind) String() string {
	if r := k.rule(); r != nil {
		return r.property
	}
	return "selection expression"
}
