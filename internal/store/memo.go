package store

import (
	"sync"

	"cleat/internal/apigw"
)

// memos remember what has been decoded of the APIs that were read last, so that a change of an API with 300 routes
// decodes what changed before it and no more.
type memos struct {
	mu    sync.Mutex
	byAPI map[apigw.APIID]memo
	size  int // members of all
}

// memo is what has been decoded of one API, by key. It is not changed once it is in memos.
type memo map[string]memory

type memory struct {
	value    any // a pointer to the value
	revision Revision
}

// maxMemos bounds how many values are remembered, at about a kilobyte each.
const maxMemos = 50_000

func (m *memos) of(id apigw.APIID) memo {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byAPI[id]
}

func (m *memos) keep(id apigw.APIID, now memo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byAPI == nil {
		m.byAPI = map[apigw.APIID]memo{}
	}
	m.size += len(now) - len(m.byAPI[id])
	m.byAPI[id] = now
	for other, had := range m.byAPI { // in no order: which one goes does not matter much
		if m.size <= maxMemos {
			return
		}
		if other != id {
			delete(m.byAPI, other)
			m.size -= len(had)
		}
	}
}
