package apigw

// VersionLatest is what Lambda calls the version of a function that can be changed.
const VersionLatest = "$LATEST"

// NoConcurrency is the Concurrency of a function that may not run at all, which Lambda writes as 0.
const NoConcurrency = -1

// QualifiedName is the function's name, and behind a colon the number of a published version.
func (f *Function) QualifiedName() string {
	if f.Version == "" {
		return f.Name
	}
	return f.Name + ":" + f.Version
}

// FunctionAlias is a name for a version of a function, or for two between which calls are shared out.
type FunctionAlias struct {
	Function    string `json:"function"`
	Name        string `json:"name"`
	Version     string `json:"functionVersion"` // a number, or VersionLatest
	Description string `json:"description,omitempty"`
	// Weights are the shares of other versions, from 0 to 1; Version gets the rest.
	Weights map[string]float64 `json:"weights,omitempty"`
}

// FunctionPolicy is the resource policy of a function, or of one of its versions or aliases. It is kept and shown; who may
// call a function here is decided without it.
type FunctionPolicy struct {
	Qualifier  string              `json:"qualifier,omitempty"` // empty: the function as a whole
	Statements []FunctionStatement `json:"statements"`
}

// FunctionStatement is one statement of a FunctionPolicy, in the form of a policy document.
type FunctionStatement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal any                          `json:"Principal"` // "*", or an object such as {"Service": "apigateway.amazonaws.com"}
	Action    string                       `json:"Action"`
	Resource  string                       `json:"Resource"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}
