package store

import (
	"sync"

	"cleat/internal/apigw"
)

// memos remember what has been decoded of the APIs that were read last, so that a change of an API with 300 routes
// decodes what changed before it and no more.
type memos struct {
	mu    sync.Mutex
	byAPI map[apigw.APIID]*memo
	size  int // members of all
}

// memo is what has been decoded of one API, a list for each of its collections: a collector has less to do with a few
// lists than with as many values. It is not changed once it is in memos.
type memo struct {
	size                 int // members of all lists
	routes               memory[apigw.Route]
	routeResponses       memory[apigw.RouteResponse]
	integrations         memory[apigw.Integration]
	integrationResponses memory[apigw.IntegrationResponse]
	authorizers          memory[apigw.Authorizer]
	models               memory[apigw.Model]
	deployments          memory[apigw.Deployment]
	stages               memory[apigw.Stage]
}

// memory is what has been decoded of one collection, ordered by key.
type memory[T any] struct {
	origins []origin // of the values
	values  []T
}

// origin is the entry that a value was decoded from.
type origin struct {
	key      string
	revision Revision
}

// holds tells whether the memory is of these entries and no others.
func (m *memory[T]) holds(entries []Entry) bool {
	if len(m.origins) != len(entries) {
		return false
	}
	for i := range entries {
		if m.origins[i] != (origin{entries[i].Key, entries[i].Revision}) {
			return false
		}
	}
	return true
}

// read returns what a collection's entries are, decoding those that it does not remember. The entries are ordered by key.
func (m *memory[T]) read(entries []Entry) (memory[T], error) {
	if m.holds(entries) {
		return *m, nil
	}
	next := memory[T]{make([]origin, len(entries)), make([]T, len(entries))}
	at := 0 // what comes before it in m is of no entry to come
	for i := range entries {
		e := &entries[i]
		for at < len(m.origins) && m.origins[at].key < e.Key {
			at++
		}
		next.origins[i] = origin{e.Key, e.Revision}
		if at < len(m.origins) && m.origins[at] == next.origins[i] {
			next.values[i] = m.values[at]
		} else if err := decode(*e, &next.values[i]); err != nil {
			return next, err
		}
	}
	return next, nil
}

// maxMemos bounds how many values are remembered, at about a kilobyte each.
const maxMemos = 50_000

// of returns what is remembered of an API, which may be nothing.
func (m *memos) of(id apigw.APIID) *memo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if had := m.byAPI[id]; had != nil {
		return had
	}
	return &memo{}
}

func (m *memos) keep(id apigw.APIID, now *memo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byAPI == nil {
		m.byAPI = map[apigw.APIID]*memo{}
	}
	if had := m.byAPI[id]; had != nil {
		m.size -= had.size
	}
	m.size += now.size
	m.byAPI[id] = now
	for other, had := range m.byAPI { // in no order: which one goes does not matter much
		if m.size <= maxMemos {
			return
		}
		if other != id {
			delete(m.byAPI, other)
			m.size -= had.size
		}
	}
}
