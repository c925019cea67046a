package control

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// maxImport bounds the rows of a file, each of which is held against all keys.
const maxImport = 5000

// ImportAPIKeys makes API keys of a CSV file with a heading (spec control-plane §14): Name and Key, and where there are
// any Description, Enabled and UsagePlanIds, which are separated by commas. It returns the IDs of the keys, and why rows
// were left out. With failOnWarnings a single one of those is an error, and no key is made.
func (c *Control) ImportAPIKeys(ctx context.Context, file []byte, failOnWarnings bool) (ids, warnings []string, err error) {
	rows, err := readKeys(file)
	if err != nil {
		return nil, nil, err
	}
	err = c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		ids, warnings = nil, nil
		changes := 0
		for _, r := range rows {
			if p := c.importKey(u, &r); len(p) > 0 {
				u.UndoKey(r.key.ID) // a row is taken whole or not at all
				warnings = append(warnings, fmt.Sprintf("Line %d: %v", r.line, p.Err()))
				continue
			}
			ids = append(ids, r.key.ID)
			changes += 1 + len(r.plans)
		}
		var p draft.Problems
		if failOnWarnings && len(warnings) > 0 {
			p.Bad("", "Failed to import API keys: %s", strings.Join(warnings, "; "))
		}
		if changes >= store.MaxChanges {
			p.Bad("", "The file makes %d keys and memberships of usage plans; at most %d go at once: split it", changes, store.MaxChanges-1)
		}
		return p, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return ids, warnings, nil
}

// importedKey is a row of the file.
type importedKey struct {
	line  int
	key   apigw.APIKey
	plans []string
}

// importKey takes one in, up to the first of its plans that is wrong: a row has room for two million of them.
func (c *Control) importKey(u *draft.Usage, r *importedKey) draft.Problems {
	p := u.PutKey(r.key).Held(c.o.Unlimited)
	for _, plan := range r.plans {
		if len(p) > 0 {
			break
		}
		p = u.PutPlanKey(apigw.UsagePlanKey{ID: r.key.ID, Type: "API_KEY", UsagePlanID: plan}).Held(c.o.Unlimited)
	}
	return p
}

// readKeys reads the rows of a file.
func readKeys(file []byte) ([]importedKey, error) {
	bad := func(format string, args ...any) error {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid CSV: " + fmt.Sprintf(format, args...)}
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\ufeff"))))
	r.TrimLeadingSpace = true
	heading, err := r.Read()
	if err != nil {
		return nil, bad("want a heading of Name,Key,Description,Enabled,UsagePlanIds")
	}
	column := map[string]int{}
	for i, name := range heading {
		column[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range []string{"name", "key"} {
		if _, ok := column[name]; !ok {
			return nil, bad("the heading has no column %s", name)
		}
	}
	var out []importedKey
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, bad("%v", err)
		}
		if len(out) >= maxImport {
			return nil, bad("more than %d rows: split the file", maxImport)
		}
		cell := func(name string) string {
			if i, ok := column[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		line, _ := r.FieldPos(0)
		k := importedKey{line: line, key: apigw.APIKey{
			ID: draft.NewID(keyIDLength), Name: cell("name"), Value: cell("key"), Description: cell("description"), CreatedDate: draft.Now(), LastUpdatedDate: draft.Now(),
		}}
		if text := cell("enabled"); text != "" {
			if k.key.Enabled, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
				return nil, bad("line %d: Enabled must be true or false", line)
			}
		}
		k.plans = strings.FieldsFunc(cell("usageplanids"), func(r rune) bool { return r == ',' || r == ' ' })
		out = append(out, k)
	}
}
