package project

// What tests of the inside need.
var (
	CleatSettings = cleatSettings
	RouteID       = routeID
	FunctionID    = functionID
)
