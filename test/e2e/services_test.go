//go:build e2e

package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// The connection table that DynamoDB keeps without a function (spec events-and-integrations §7): an item is put on
// $connect, found by a message and deleted on $disconnect, in dynalite, which reads the signature's form and speaks DynamoDB's errors.
func TestDynamoDBIntegrations(t *testing.T) {
	modules := "../../examples/chat/node_modules"
	tables := startServer(t, filepath.Join(modules, ".bin/dynalite"), "--host", "127.0.0.1", "--createTableMs", "0", "--port")
	d := startDev(t, "services", options{env: []string{"TABLES=" + tables}})
	names := func(want string) func() error {
		return func() error {
			rows := mustCommand(t, nil, "", "node", filepath.Join("clients", "rows.cjs"), modules, tables, "services-dev-connections")
			if got := strings.TrimSpace(rows); got != want {
				return fmt.Errorf("names in the table: %s, want %s", got, want)
			}
			return nil
		}
	}

	ada := dial(t, d.ws()+"?type=S&name=ada%22l", nil)
	if err := names(`["ada\"l"]`)(); err != nil { // put before the 101
		t.Error(err)
	}
	for message, want := range map[string]string{
		`{"action":"query"}`:                 `{"count": 1, "names": ["ada\"l"]}`,
		`{"action":"query","id":"nobody"}`:   `{"count": 0, "names": []}`,
		`{"action":"query","id":"a\"b"}`:     `{"refused": `,
		`{"action":"raw"}`:                   `{"Item":{"id":{"S":"`,
		`{"action":"neither of the routes"}`: `{"message": "Forbidden", `,
	} {
		if got := strings.TrimSpace(ada.ask(message)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: received %s, want %s", message, got, want)
		}
	}
	if got := refused(t, d.ws()+"?type=N&name=no-number"); got != 400 {
		t.Errorf("an item that DynamoDB refuses: status %d, want DynamoDB's 400", got)
	}
	ada.conn.Close(1000, "")
	d.eventually("the item is deleted", names(`[]`))
}
