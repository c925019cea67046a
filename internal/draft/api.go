package draft

import (
	"maps"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/store"
)

// API is the draft of one API with all that belongs to it.
type API struct {
	// Now is the API as it is to become. It is to be read; what changes it are the methods, and Put and Drop of the kinds.
	Now store.Tree

	before *store.Tree // as the store has it; nil: the API is new
	at     time.Time   // the date of what changes
	// touched tells that something outside of the API has come to depend on it.
	touched bool
	// frozen are the definitions of the deployments that this change makes, by their ID.
	frozen map[string]*store.Frozen
}

// New returns the draft of an API that is to be made, with its identifier, the endpoint that AWS would give it and its
// date.
func New(id apigw.APIID, region string) *API {
	at := Now()
	return &API{at: at, Now: store.Tree{API: apigw.API{APIID: id, CreatedDate: at, APIEndpoint: awsapi.APIEndpoint(region, id)}}}
}

// Of returns the draft of an API that the store holds. The tree is the draft's from now on.
func Of(t *store.Tree) *API {
	d := &API{before: t, at: Now(), Now: store.Tree{API: t.API}}
	for _, k := range kinds {
		k.begin(d)
	}
	return d
}

// ID is the API's.
func (d *API) ID() apigw.APIID { return d.Now.API.APIID }

// Set checks the API's own definition, fills in its defaults and puts it in (spec control-plane §3).
func (d *API) Set(api apigw.API) Problems {
	p := checkAPI(&api)
	d.Now.API = api
	return p
}

// Touch has the API written even if it is as before. That is for what comes to depend on it from outside: of that and of
// the API's deletion one will see the other.
func (d *API) Touch() { d.touched = true }

// Forget removes everything whose key in the store is among those given.
func (d *API) Forget(keys map[string]bool) {
	for _, k := range kinds {
		k.forget(d, keys)
	}
}

// Write adds to a batch what changed, and with it the API itself: who else changes the API at the same time will
// conflict.
func (d *API) Write(b *store.Batch) {
	before, expect := &store.Tree{}, store.Absent()
	if d.before != nil {
		before, expect = d.before, store.At(d.before.Revision)
	}
	n := b.Len()
	for _, k := range kinds {
		k.write(b, d, before)
	}
	d.writeDefinitions(b, before.Deployments)
	if b.Len() > n || d.before == nil || d.touched || !store.Equal(before.API, d.Now.API) {
		store.Put(b, store.APIs().Key(string(d.ID())), d.Now.API, expect)
	}
}

// writeDefinitions writes what new deployments have frozen, and deletes what those had that are gone.
func (d *API) writeDefinitions(b *store.Batch, before []apigw.Deployment) {
	definitions := store.Definitions(d.ID())
	for i := range d.Now.Deployments {
		id := d.Now.Deployments[i].DeploymentID
		if frozen := d.frozen[id]; frozen != nil && find(before, deploymentID, id) == nil {
			store.PutFrozen(b, definitions.Key(id), frozen, store.Expect{})
		}
	}
	for i := range before {
		if id := before[i].DeploymentID; find(d.Now.Deployments, deploymentID, id) == nil {
			store.Delete(b, definitions.Key(id), store.Expect{})
		}
	}
}

// find returns the member of that ID, nil when there is none.
func find[T any](list []T, id func(*T) string, want string) *T {
	for i := range list {
		if id(&list[i]) == want {
			return &list[i]
		}
	}
	return nil
}

// A draft's lists are shared, with the tree that it began with and with what it has frozen, until something changes them:
// put and drop change none where it is.

// put replaces the member of the same ID, or puts the new one in its place in the order of IDs.
func put[T any](list *[]T, id func(*T) string, v T) {
	i, found := slices.BinarySearchFunc(*list, id(&v), func(have T, want string) int { return strings.Compare(id(&have), want) })
	if found {
		*list = slices.Clone(*list)
		(*list)[i] = v
		return
	}
	*list = slices.Insert(*list, i, v) // which copies a list that was clipped
}

// drop removes the members for which gone holds.
func drop[T any](list *[]T, gone func(*T) bool) {
	first := 0
	for ; first < len(*list) && !gone(&(*list)[first]); first++ {
	}
	if first == len(*list) {
		return
	}
	rest := append(make([]T, 0, len(*list)), (*list)[:first]...)
	for i := first + 1; i < len(*list); i++ {
		if v := &(*list)[i]; !gone(v) {
			rest = append(rest, *v)
		}
	}
	*list = rest
}

// clip takes a list's room at its end: from now on others may have it too.
func clip[T any](list *[]T) { *list = slices.Clip(*list) }

func forgetIn[T any](list *[]T, c store.Collection[T], id func(*T) string, keys map[string]bool) {
	drop(list, func(v *T) bool { return keys[c.Key(id(v)).String()] })
}

func writeDiff[T any](b *store.Batch, c store.Collection[T], id func(*T) string, before, now []T) {
	if len(before) == len(now) && (len(now) == 0 || &before[0] == &now[0]) {
		return // it is the same list, which nobody has changed
	}
	old := make(map[string]*T, len(before))
	for i := range before {
		old[id(&before[i])] = &before[i]
	}
	for i := range now {
		key := id(&now[i])
		if o := old[key]; o == nil || !store.Equal(o, &now[i]) {
			store.Put(b, c.Key(key), now[i], store.Expect{})
		}
		delete(old, key)
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		store.Delete(b, c.Key(key), store.Expect{})
	}
}
