package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/conn"
	"cleat/internal/listen"
	"cleat/internal/store"
)

// directory is every stage that this node serves. It is immutable; Swap puts another in its place.
type directory struct {
	apis       map[apigw.APIID]map[string]*stage
	defaultAPI apigw.APIID                   // configured; empty when not
	domains    map[string][]apigw.APIMapping // by custom domain name
	wildcards  map[string][]apigw.APIMapping // of names that begin with "*.", by what follows that
	domain     string                        // configured: of the user's own, below which APIs have their names
}

type directoryPointer = atomic.Pointer[directory]

var (
	_ listen.Directory = (*directory)(nil)
	_ listen.Aliaser   = (*directory)(nil)
	_ listen.Domainer  = (*directory)(nil)
	_ listen.Stager    = (*directory)(nil)
)

func emptyDirectory(defaultAPI apigw.APIID) *directory {
	return &directory{apis: map[apigw.APIID]map[string]*stage{}, defaultAPI: defaultAPI}
}

// withStages returns the stages that are served from now on, those that are new among them. Mostly they are what
// they were, and so is the map.
func (d *directory) withStages(served []store.Published) map[apigw.APIID]map[string]*stage {
	had := 0
	for _, stages := range d.apis {
		had += len(stages)
	}
	isNew := func(p store.Published) bool { return d.stage(p.API.APIID, p.Stage.StageName) == nil }
	if had == len(served) && !slices.ContainsFunc(served, isNew) {
		return d.apis
	}
	apis := make(map[apigw.APIID]map[string]*stage, len(d.apis))
	for i := range served {
		id, name := served[i].API.APIID, served[i].Stage.StageName
		s := d.stage(id, name)
		if s == nil {
			s = &stage{api: id, name: name}
		}
		if apis[id] == nil {
			apis[id] = map[string]*stage{}
		}
		apis[id][name] = s
	}
	return apis
}

// HasAPI implements listen.Directory.
func (d *directory) HasAPI(id apigw.APIID) bool { return d.apis[id] != nil }

// Stages implements listen.Directory.
func (d *directory) Stages(id apigw.APIID) []string { return slices.Sorted(maps.Keys(d.apis[id])) }

// HasStage implements listen.Stager.
func (d *directory) HasStage(id apigw.APIID, name string) bool { return d.apis[id][name] != nil }

// Default implements listen.Directory: the configured API, or the only one.
func (d *directory) Default() (apigw.APIID, bool) {
	if d.defaultAPI != "" {
		return d.defaultAPI, d.apis[d.defaultAPI] != nil
	}
	if len(d.apis) == 1 {
		for id := range d.apis {
			return id, true
		}
	}
	return "", false
}

// Alias implements listen.Aliaser: an API of AWS's that somebody's code still names is the default API here.
func (d *directory) Alias(apigw.APIID) (apigw.APIID, bool) { return d.Default() }

// Domain implements listen.Domainer.
func (d *directory) Domain() string { return d.domain }

// Mappings implements listen.Directory. A name of its own comes before the wildcard that it falls under.
func (d *directory) Mappings(host string) ([]apigw.APIMapping, bool) {
	if mappings, ok := d.domains[host]; ok {
		return mappings, true
	}
	_, rest, _ := strings.Cut(host, ".")
	mappings, ok := d.wildcards[rest]
	return mappings, ok
}

// EndpointDisabled implements listen.Directory.
func (d *directory) EndpointDisabled(id apigw.APIID, name string) bool {
	s := d.stage(id, name)
	return s != nil && s.snapshot.Load().endpointDisabled
}

// addDomains takes in the custom domain names with their mappings.
func (d *directory) addDomains(serving store.Serving) {
	d.domains, d.wildcards = map[string][]apigw.APIMapping{}, map[string][]apigw.APIMapping{}
	of := func(name string) (map[string][]apigw.APIMapping, string) {
		if rest, ok := strings.CutPrefix(name, "*."); ok {
			return d.wildcards, rest
		}
		return d.domains, name
	}
	for _, name := range serving.Domains {
		in, key := of(name.DomainName)
		in[key] = nil // without mappings it answers 403 to everything
	}
	for _, m := range serving.Mappings {
		in, key := of(m.DomainName)
		in[key] = append(in[key], m)
	}
}

// hasStage tells whether any API has a stage of that name.
func (d *directory) hasStage(name string) bool {
	for _, stages := range d.apis {
		if stages[name] != nil {
			return true
		}
	}
	return false
}

// narrow fills in the API and the stage that an address of the management API left open, where there is only one: who may
// call is decided by their names.
func (d *directory) narrow(t listen.Target) listen.Target {
	if t.API == "" && len(d.apis) == 1 {
		for id := range d.apis {
			t.API = id
		}
	}
	if stages := d.apis[t.API]; t.Stage == "" && len(stages) == 1 {
		for name := range stages {
			t.Stage = name
		}
	}
	return t
}

// meant are the stages that an address means which leaves the API or the stage open.
func (d *directory) meant(api apigw.APIID, name string) []authorizer.Stage {
	var out []authorizer.Stage
	for _, stages := range d.apis {
		for _, s := range stages {
			if (api == "" || api == s.api) && (name == "" || name == s.name) {
				out = append(out, authorizer.Stage{API: s.api, Name: s.name})
			}
		}
	}
	return out
}

// stage returns a stage, nil when there is none or it has no deployment.
func (d *directory) stage(api apigw.APIID, name string) *stage { return d.apis[api][name] }

// stage is one stage of one API for as long as it exists: connections hold on to it, and read from it, at each event,
// the snapshot that is current then. So open connections follow a new deployment (spec data-plane §3).
type stage struct {
	api      apigw.APIID
	name     string
	snapshot atomic.Pointer[snapshot] // never nil once the stage is in a directory
}

// Swap makes the gateway serve exactly what is given. Stages whose revision is unchanged keep their snapshot;
// connections of stages that are gone are closed with 1001. When a definition does not compile nothing changes and
// the error names every route at fault.
func (g *Gateway) Swap(serving store.Serving) error {
	g.swapping.Lock()
	defer g.swapping.Unlock()
	old := g.directory.Load()
	next := &directory{apis: old.withStages(serving.Stages), defaultAPI: old.defaultAPI, domain: old.domain}
	next.addDomains(serving)
	type change struct {
		stage *stage
		to    *snapshot
	}
	var changes []change
	var faults []error
	for i := range serving.Stages {
		p := &serving.Stages[i]
		s := next.stage(p.API.APIID, p.Stage.StageName)
		have := s.snapshot.Load()
		if have != nil && have.revision == revisionOf(p) {
			continue
		}
		to, err := compile(p, g.deps, have)
		if err != nil {
			faults = append(faults, fmt.Errorf("API %s, stage %s: %w", s.api, s.name, err))
			continue
		}
		changes = append(changes, change{s, to})
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for _, c := range changes {
		c.stage.snapshot.Store(c.to)
	}
	g.plans.Swap(serving.APIKeys, serving.UsagePlans, serving.UsagePlanKeys)
	g.directory.Store(next)
	g.closeRemoved(old, next)
	return nil
}

// closeRemoved ends the connections of stages that are no more (spec open-questions 48). Those whose $connect is under way
// see to it themselves, in connect.
func (g *Gateway) closeRemoved(old, next *directory) {
	gone := map[*stage]bool{}
	for api, stages := range old.apis {
		for name, s := range stages {
			if next.apis[api][name] != s {
				gone[s] = true
			}
		}
	}
	if len(gone) == 0 {
		return
	}
	const page = 1000
	for after, more := apigw.ConnectionID(""), true; more; {
		var infos []conn.Info
		infos, more = g.hub.List(after, page, func(a any) bool {
			s, ok := a.(*session)
			return ok && gone[s.stage]
		})
		for _, info := range infos {
			after = info.ID
			g.disconnectRemoved(info.ID)
		}
		more = more && len(infos) > 0
	}
}

// disconnectRemoved ends a connection of a stage that is no more.
func (g *Gateway) disconnectRemoved(id apigw.ConnectionID) {
	if err := g.hub.Disconnect(id, conn.ReasonShutdown); err != nil && !errors.Is(err, conn.ErrGone) {
		g.log.Warn("a connection of a removed stage could not be closed", "connection_id", string(id), "err", err)
	}
}
