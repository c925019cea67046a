package store

import (
	"strings"

	"cleat/internal/apigw"
)

// Key names one value of type T in the store.
type Key[T any] struct{ path string }

// String returns the key as drivers see it, such as "apis/a1b2c3d4e5/routes/x1y2z3w".
func (k Key[T]) String() string { return k.path }

// Collection names all values of one kind under one parent. IDs in it are made of letters, digits, _, = and -.
type Collection[T any] struct{ prefix string }

// Key returns the key of one member.
func (c Collection[T]) Key(id string) Key[T] { return Key[T]{c.prefix + id} }

// The collections at the top.
const (
	apisPrefix        = "apis/"
	definitionsPrefix = "definitions/"
	functionsPrefix   = "functions/"
	stacksPrefix      = "stacks/"
	apiKeysPrefix     = "apikeys/"
	plansPrefix       = "usageplans/"
	domainsPrefix     = "domainnames/"
	linksPrefix       = "vpclinks/"
	accountPrefix     = "account/"
)

// The collections of an API.
const (
	routesSegment               = "routes"
	routeResponsesSegment       = "routeresponses"
	integrationsSegment         = "integrations"
	integrationResponsesSegment = "integrationresponses"
	authorizersSegment          = "authorizers"
	modelsSegment               = "models"
	deploymentsSegment          = "deployments"
	stagesSegment               = "stages"
)

// The collections of a function.
const (
	versionsSegment = "versions"
	aliasesSegment  = "aliases"
	policiesSegment = "policies"
)

// The collection of a usage plan.
const planKeysSegment = "keys"

// The collection of a custom domain name.
const mappingsSegment = "apimappings"

// APIs are all APIs, by API ID.
func APIs() Collection[apigw.API] { return Collection[apigw.API]{apisPrefix} }

// Functions are all local functions, by name.
func Functions() Collection[apigw.Function] { return Collection[apigw.Function]{functionsPrefix} }

// FunctionVersions are the published versions of a function, by number.
func FunctionVersions(function string) Collection[apigw.Function] {
	return Collection[apigw.Function]{functionsPrefix + function + "/" + versionsSegment + "/"}
}

// FunctionAliases are the aliases of a function, by name.
func FunctionAliases(function string) Collection[apigw.FunctionAlias] {
	return Collection[apigw.FunctionAlias]{functionsPrefix + function + "/" + aliasesSegment + "/"}
}

// FunctionPolicies are the resource policies of a function and of its versions and aliases, by PolicyKey.
func FunctionPolicies(function string) Collection[apigw.FunctionPolicy] {
	return Collection[apigw.FunctionPolicy]{functionsPrefix + function + "/" + policiesSegment + "/"}
}

// PolicyKey is a qualifier as a part of a key, where neither nothing nor $LATEST may be: "=" and "=LATEST".
func PolicyKey(qualifier string) string {
	if qualifier == "" {
		return "="
	}
	return strings.Replace(qualifier, "$", "=", 1)
}

// Stacks are the records of applied templates, by stack name.
func Stacks() Collection[Stack] { return Collection[Stack]{stacksPrefix} }

// APIKeys are all API keys, by their ID.
func APIKeys() Collection[apigw.APIKey] { return Collection[apigw.APIKey]{apiKeysPrefix} }

// UsagePlans are all usage plans, by their ID.
func UsagePlans() Collection[apigw.UsagePlan] { return Collection[apigw.UsagePlan]{plansPrefix} }

// Account is what holds for the node as a whole.
func Account() Key[apigw.Account] { return Key[apigw.Account]{accountPrefix + "settings"} }

// VPCLinks are all VPC links, by their ID.
func VPCLinks() Collection[apigw.VPCLink] { return Collection[apigw.VPCLink]{linksPrefix} }

// UsagePlanKeys are the API keys of one usage plan, by key ID.
func UsagePlanKeys(plan string) Collection[apigw.UsagePlanKey] {
	return Collection[apigw.UsagePlanKey]{plansPrefix + plan + "/" + planKeysSegment + "/"}
}

// DomainNames are all custom domain names, by DomainKey.
func DomainNames() Collection[apigw.DomainName] { return Collection[apigw.DomainName]{domainsPrefix} }

// APIMappings are the API mappings of one custom domain name, by mapping ID.
func APIMappings(domain string) Collection[apigw.APIMapping] {
	return Collection[apigw.APIMapping]{domainsPrefix + DomainKey(domain) + "/" + mappingsSegment + "/"}
}

// DomainKey is a custom domain name as a part of a key, where no dot and no star may be: "chat.example.com" is
// "chat_example_com", "*.example.com" is "=_example_com". No two names have the same, since a host name has neither.
func DomainKey(name string) string { return strings.NewReplacer(".", "_", "*", "=").Replace(name) }

func of[T any](api apigw.APIID, segment string) Collection[T] {
	return Collection[T]{apisPrefix + string(api) + "/" + segment + "/"}
}

// Routes are an API's routes, by route ID.
func Routes(api apigw.APIID) Collection[apigw.Route] { return of[apigw.Route](api, routesSegment) }

// RouteResponses are the route responses of all of an API's routes, by route response ID.
func RouteResponses(api apigw.APIID) Collection[apigw.RouteResponse] {
	return of[apigw.RouteResponse](api, routeResponsesSegment)
}

// Integrations are an API's integrations, by integration ID.
func Integrations(api apigw.APIID) Collection[apigw.Integration] {
	return of[apigw.Integration](api, integrationsSegment)
}

// IntegrationResponses are the integration responses of all of an API's integrations, by their ID.
func IntegrationResponses(api apigw.APIID) Collection[apigw.IntegrationResponse] {
	return of[apigw.IntegrationResponse](api, integrationResponsesSegment)
}

// Authorizers are an API's authorizers, by authorizer ID.
func Authorizers(api apigw.APIID) Collection[apigw.Authorizer] {
	return of[apigw.Authorizer](api, authorizersSegment)
}

// Models are an API's models, by model ID.
func Models(api apigw.APIID) Collection[apigw.Model] { return of[apigw.Model](api, modelsSegment) }

// Definitions are what an API's deployments have frozen, by deployment ID. Each is written with its deployment, never
// changed, and deleted with it. They are no part of the API's Tree: who changes an API need not read them.
func Definitions(api apigw.APIID) Collection[apigw.Definition] {
	return Collection[apigw.Definition]{definitionsPrefix + string(api) + "/"}
}

// Deployments are an API's deployments, by deployment ID.
func Deployments(api apigw.APIID) Collection[apigw.Deployment] {
	return of[apigw.Deployment](api, deploymentsSegment)
}

// Stages are an API's stages, by name.
func Stages(api apigw.APIID) Collection[apigw.Stage] { return of[apigw.Stage](api, stagesSegment) }

// Stack records what an applied template made, so that the next one knows what to replace and what to delete.
type Stack struct {
	Name string `json:"name"`
	// Resources are the store's keys of what the stack made, by logical ID.
	Resources map[string]string `json:"resources,omitempty"`
	// Outputs are the template's outputs, evaluated, in its order.
	Outputs []StackOutput `json:"outputs,omitempty"`
}

// StackOutput is an output of a template.
type StackOutput struct {
	Key         string `json:"outputKey"`
	Value       string `json:"outputValue"`
	Description string `json:"description,omitempty"`
}
