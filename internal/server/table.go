package server

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/backend"
	"cleat/internal/control/stacks"
)

// TableStatus says what became of one DynamoDB table of the project.
type TableStatus struct {
	Name    string
	Created bool  // by this run
	Missing bool  // no endpoint was named
	Err     error // why it could not be made
}

func (t TableStatus) String() string {
	switch {
	case t.Missing:
		return t.Name + ": not served; start DynamoDB Local or dynalite and pass its URL with --dynamodb, such as --dynamodb http://127.0.0.1:8000, or as awsEndpoints.dynamodb in cleat.yaml"
	case t.Err != nil:
		return t.Name + ": not made: " + t.Err.Error()
	case t.Created:
		return t.Name + ": created"
	}
	return t.Name + ": there already"
}

const tableTime = 5 * time.Second // for all tables of a project together

// makeTables creates the tables that the project declares, where they are missing. A table that cannot be made does
// not keep the project from running: its status says why.
func (d *dev) makeTables(ctx context.Context, tables []stacks.Table) []TableStatus {
	endpoint := d.node.tableEndpoint(settingsOf(d.project))
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	out := make([]TableStatus, len(tables))
	var wait sync.WaitGroup
	for i, t := range tables {
		out[i].Name = t.Name
		if endpoint == "" {
			out[i].Missing = true
			continue
		}
		wait.Go(func() { out[i].Created, out[i].Err = d.makeTable(ctx, endpoint, t) })
	}
	wait.Wait()
	return out
}

func (d *dev) makeTable(ctx context.Context, endpoint string, t stacks.Table) (created bool, err error) {
	db := backend.AWSJSON{
		Endpoint: endpoint, Service: serviceDynamoDB, Target: "DynamoDB_20120810", Region: d.project.Region,
		Credentials: awsapi.Credentials{AccessKeyID: d.project.AWS.AccessKeyID, SecretAccessKey: d.project.AWS.SecretAccessKey, SessionToken: d.project.AWS.SessionToken},
	}
	body, err := json.Marshal(t.CreateTable)
	if err != nil {
		return false, fmt.Errorf("describe the table: %w", err)
	}
	err = db.Call(ctx, "CreateTable", body)
	if backend.IsAWSError(err, "ResourceInUseException") {
		return false, nil
	}
	return err == nil, err
}
