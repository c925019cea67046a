package stacks

import (
	"encoding/json"
	"slices"
	"strconv"

	"cleat/internal/cfn"
)

// Table is a DynamoDB table of a template. Cleat does not serve it; it says how to make it elsewhere.
type Table struct {
	LogicalID string
	Name      string
	// CreateTable is the body of DynamoDB's CreateTable request.
	CreateTable json.RawMessage
	Place       cfn.Place
}

// What CreateTable takes of a template's properties, and of its indexes.
var (
	tableProperties = []string{"KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "BillingMode", "ProvisionedThroughput", "StreamSpecification"}
	indexProperties = []string{"IndexName", "KeySchema", "Projection", "ProvisionedThroughput"}
)

const payPerRequest = "PAY_PER_REQUEST"

// addTable takes in an AWS::DynamoDB::Table or GlobalTable.
func (a *application) addTable(r *cfn.Resource) {
	kept := only(r.Properties, append([]string{"TableName"}, tableProperties...))
	v, ok := a.evaluate(kept)
	if !ok {
		return
	}
	name, err := a.physicalName(r, "TableName")
	if err != nil {
		return // evaluate has told why
	}
	for _, required := range []string{"KeySchema", "AttributeDefinitions"} {
		if !v.Get(required).Is(cfn.List) {
			a.faults.Addf(a.placeOf(r, required), "%s: %s must be a list", r.LogicalID, required)
			return
		}
	}
	request := cfn.MapOf(r.Place, "TableName", cfn.TextOf(r.Place, name))
	mode := v.Get("BillingMode").Str()
	if mode == "" && v.Get("ProvisionedThroughput") == nil {
		mode = payPerRequest // CloudFormation would refuse the table; a global one has its throughput elsewhere
		request.Keys = append(request.Keys, cfn.Entry{Key: "BillingMode", Value: cfn.TextOf(r.Place, mode)})
	}
	for _, e := range v.Entries() {
		switch e.Key {
		case "TableName":
			continue
		case "GlobalSecondaryIndexes", "LocalSecondaryIndexes":
			e.Value = indexes(e.Value, mode)
		case "ProvisionedThroughput":
			if mode == payPerRequest {
				continue // DynamoDB refuses both
			}
			e.Value = numbers(e.Value)
		case "StreamSpecification":
			e.Value = stream(e.Value)
		}
		request.Keys = append(request.Keys, e)
	}
	a.outcome.Tables = append(a.outcome.Tables, Table{LogicalID: r.LogicalID, Name: name, CreateTable: request.AppendJSON(nil), Place: r.Place})
}

// only keeps the named entries of a map.
func only(v *cfn.Value, names []string) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map, Place: v.At()}
	for _, e := range v.Entries() {
		if slices.Contains(names, e.Key) {
			out.Keys = append(out.Keys, e)
		}
	}
	return out
}

func indexes(list *cfn.Value, mode string) *cfn.Value {
	out := &cfn.Value{Kind: cfn.List, Place: list.At()}
	if !list.Is(cfn.List) {
		return list // DynamoDB will say what it thinks of it
	}
	for _, index := range list.Items {
		index = only(index, indexProperties)
		for i := range index.Keys {
			if index.Keys[i].Key == "ProvisionedThroughput" {
				index.Keys[i].Value = numbers(index.Keys[i].Value)
			}
		}
		if mode == payPerRequest {
			index.Keys = slices.DeleteFunc(index.Keys, func(e cfn.Entry) bool { return e.Key == "ProvisionedThroughput" })
		}
		out.Items = append(out.Items, index)
	}
	return out
}

// numbers makes numbers of the texts in a map: templates may say "5", DynamoDB wants 5.
func numbers(v *cfn.Value) *cfn.Value {
	if !v.Is(cfn.Map) {
		return v
	}
	out := &cfn.Value{Kind: cfn.Map, Place: v.Place}
	for _, e := range v.Keys {
		if n, err := strconv.Atoi(e.Value.Str()); err == nil {
			e.Value = cfn.NumberOf(e.Value.At(), n)
		}
		out.Keys = append(out.Keys, e)
	}
	return out
}

// stream adds what a template leaves out.
func stream(v *cfn.Value) *cfn.Value {
	if !v.Is(cfn.Map) || v.Get("StreamEnabled") != nil {
		return v
	}
	return cfn.MapOf(v.Place, "StreamEnabled", cfn.BoolOf(v.Place, true), "StreamViewType", v.Get("StreamViewType"))
}
