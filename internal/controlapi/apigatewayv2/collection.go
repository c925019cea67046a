package apigatewayv2

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"cleat/internal/controlapi"
)

// collection is one kind of resource, from which five operations follow: Create, Get, Get of all, Update and Delete. The
// functions get the call of whose path they can read what the resource belongs to.
type collection[T any] struct {
	name, plural string // of the operations: "Route", "Routes"
	path, id     string // of the whole, and the name of one's identifier in it: "/v2/apis/{apiId}/routes", "routeId"
	members      members

	all func(c *controlapi.Call) ([]T, error) // ordered by key
	key func(*T) string
	// one returns one. Nil: it is looked for in all.
	one     func(c *controlapi.Call, id string) (T, error)
	unknown func(id string) error
	create  func(c *controlapi.Call, v T) (T, error)
	update  func(c *controlapi.Call, id string, edit func(T) (T, error)) (T, error)
	remove  func(c *controlapi.Call, id string) error
	// nested tells that update and remove do not look at what the resource belongs to within its API.
	nested bool
	show   func(T) any // what answers have of it
}

func (k *collection[T]) operations() []controlapi.Operation {
	one := k.path + "/{" + k.id + "}"
	return []controlapi.Operation{
		operation("Create"+k.name, http.MethodPost, k.path, k.doCreate),
		operation("Get"+k.name, http.MethodGet, one, k.doGet),
		operation("Get"+k.plural, http.MethodGet, k.path, k.doList),
		operation("Update"+k.name, http.MethodPatch, one, k.doUpdate),
		operation("Delete"+k.name, http.MethodDelete, one, k.doDelete),
	}
}

func (k *collection[T]) doCreate(c *controlapi.Call) (controlapi.Answer, error) {
	var v T
	v, err := read(v, c.Body, k.members, creation)
	if err != nil {
		return controlapi.Answer{}, err
	}
	if v, err = k.create(c, v); err != nil {
		return controlapi.Answer{}, err
	}
	answer := controlapi.Created(k.show(v))
	answer.Made = arnPrefix(c) + c.Expand(strings.TrimPrefix(k.path, version)) + "/" + k.key(&v)
	return answer, nil
}

// get is the resource that a request's path names.
func (k *collection[T]) get(c *controlapi.Call) (T, error) {
	id := c.Path(k.id)
	if k.one != nil {
		return k.one(c, id)
	}
	all, err := k.all(c)
	if err != nil {
		return *new(T), err
	}
	for i := range all {
		if k.key(&all[i]) == id {
			return all[i], nil
		}
	}
	return *new(T), k.unknown(id)
}

func (k *collection[T]) doGet(c *controlapi.Call) (controlapi.Answer, error) {
	v, err := k.get(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(k.show(v)), nil
}

// belongs fails where the resource is no part of what the path says.
func (k *collection[T]) belongs(c *controlapi.Call) error {
	if !k.nested {
		return nil
	}
	_, err := k.get(c)
	return err
}

func (k *collection[T]) doUpdate(c *controlapi.Call) (controlapi.Answer, error) {
	if err := k.belongs(c); err != nil {
		return controlapi.Answer{}, err
	}
	v, err := k.update(c, c.Path(k.id), func(v T) (T, error) { return read(v, c.Body, k.members, change) })
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(k.show(v)), nil
}

func (k *collection[T]) doDelete(c *controlapi.Call) (controlapi.Answer, error) {
	if err := k.belongs(c); err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.NoContent(), k.remove(c, c.Path(k.id))
}

// mostResults is how many a list has at most, and where the request says nothing (spec open-questions 63).
const mostResults = 500

// page is a part of a list.
type page struct {
	Items     []any  `json:"items"`
	NextToken string `json:"nextToken,omitempty"`
}

// doList answers with a page of all (spec control-plane §1.2). A token says after which one its page begins, so that
// pages neither repeat nor leave out what stays while others come and go.
func (k *collection[T]) doList(c *controlapi.Call) (controlapi.Answer, error) {
	most, after := mostResults, ""
	if text := c.Query("maxResults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostResults {
			return controlapi.Answer{}, badRequest("Invalid maxResults: want a number from 1 to " + strconv.Itoa(mostResults))
		}
		most = n
	}
	if token := c.Query("nextToken"); token != "" {
		var ok bool
		if after, ok = readToken(c, token); !ok {
			return controlapi.Answer{}, badRequest("Invalid nextToken")
		}
	}
	all, err := k.all(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	p := page{Items: []any{}}
	last := ""
	for i := range all {
		id := k.key(&all[i])
		if id <= after {
			continue
		}
		if len(p.Items) == most {
			p.NextToken = newToken(c, last)
			break
		}
		p.Items, last = append(p.Items, k.show(all[i])), id
	}
	return controlapi.OK(p), nil
}

// A token is the path of its list and the identifier that its page comes after.
func newToken(c *controlapi.Call, after string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.Request.URL.Path + "\x00" + after))
}

func readToken(c *controlapi.Call, token string) (after string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	path, after, ok := strings.Cut(string(b), "\x00")
	return after, err == nil && ok && after != "" && path == c.Request.URL.Path
}
