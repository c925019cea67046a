package sam

import (
	"maps"
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// globalProperties are the sections of Globals with the properties that SAM takes in them; nil: not looked at here.
var globalProperties = map[string][]string{
	"Function": {
		"Handler", "Runtime", "CodeUri", "DeadLetterQueue", "Description", "MemorySize", "Timeout", "VpcConfig", "Environment", "Tags",
		"PropagateTags", "Tracing", "KmsKeyArn", "AutoPublishAlias", "AutoPublishAliasAllProperties", "Layers", "DeploymentPreference", "RolePath",
		"PermissionsBoundary", "ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig", "AssumeRolePolicyDocument", "EventInvokeConfig",
		"FileSystemConfigs", "CodeSigningConfigArn", "Architectures", "SnapStart", "EphemeralStorage", "FunctionUrlConfig", "RuntimeManagementConfig",
		"LoggingConfig", "RecursiveLoop", "SourceKMSKeyArn", "TenancyConfig", "DurableConfig", "CapacityProviderConfig", "FunctionScalingConfig",
		"PublishToLatestPublished", "VersionDeletionPolicy",
	},
	"WebSocketApi": {
		"AccessLogSettings", "ApiKeySelectionExpression", "DefaultRouteSettings", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "Domain",
		"FailOnWarnings", "IpAddressType", "PropagateTags", "RouteSelectionExpression", "RouteSettings", "StageVariables", "Tags",
	},
	"Api": nil, "HttpApi": nil, "SimpleTable": nil, "StateMachine": nil, "LayerVersion": nil, "CapacityProvider": nil,
}

func (x *expansion) readGlobals(globals *cfn.Value) {
	x.globals = map[string]*cfn.Value{}
	for _, e := range globals.Entries() {
		known, ok := globalProperties[e.Key]
		switch {
		case !ok:
			x.faults.Addf(e.Place, "Globals has no section %q: want some of %s", e.Key, strings.Join(slices.Sorted(maps.Keys(globalProperties)), ", "))
		case !e.Value.Is(cfn.Map):
			x.faults.Addf(e.Place, "Globals.%s must be a map of properties", e.Key)
		default:
			if known != nil {
				x.checkKeys(e.Value, "Globals."+e.Key, known)
			}
			x.globals[e.Key] = e.Value
		}
	}
}

// withGlobals are the properties of a resource over those that are global to its type.
func (x *expansion) withGlobals(kind string, e cfn.Entry) *cfn.Value {
	own := e.Value.Get("Properties")
	if !own.Is(cfn.Map) {
		if own != nil && own.Kind != cfn.Null {
			x.faults.Addf(own.Place, "Properties of %s must be a map", e.Key)
		}
		own = &cfn.Value{Kind: cfn.Map, Place: e.Place}
	}
	global := x.globals[kind]
	if global == nil {
		return own
	}
	switch ignored := e.Value.Get("IgnoreGlobals"); {
	case ignored.Str() == "*":
		return own
	case ignored.Is(cfn.List):
		for _, name := range ignored.Items {
			global = drop(global, name.Str())
		}
	}
	return overGlobal(global, own)
}

// overGlobal puts what is the resource's own over what is global: maps key by key, lists one after the other, anything else
// replaced.
func overGlobal(global, own *cfn.Value) *cfn.Value {
	switch {
	case own == nil:
		return global
	case global.Is(cfn.List) && own.Is(cfn.List):
		return cfn.ListOf(own.Place, slices.Concat(global.Items, own.Items)...)
	case global.Is(cfn.Map) && own.Is(cfn.Map) && !cfn.IsIntrinsic(global) && !cfn.IsIntrinsic(own):
		out := &cfn.Value{Kind: cfn.Map, Place: own.Place, Keys: slices.Clone(global.Keys)}
		for _, e := range own.Keys {
			e.Value = overGlobal(out.Get(e.Key), e.Value)
			out.Set(e)
		}
		return out
	}
	return own
}
