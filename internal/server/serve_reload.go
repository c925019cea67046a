package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"cleat/internal/cfn"
)

// reloads count how often the settings were read again.
type reloads struct{ done, failed atomic.Int64 }

// Certificates are told of when they end soon, once a day each: two weeks before, but not before most of their life is over,
// for some are made for a week and renewed in good time.
const (
	expiryWarning = 14 * 24 * time.Hour
	expiryPause   = 24 * time.Hour
	expiryShare   = 6 // of the whole life, which is left at the end
)

// followSettings reads the settings again whenever somebody asks for it or one of their files has changed and then stayed
// as it is from one look to the next, for an editor may still be writing; until ctx ends.
func (s *serveNode) followSettings(ctx context.Context) error {
	tick := time.NewTicker(s.o.Poll)
	defer tick.Stop()
	seen := stamp(s.settings.Files)
	last := seen
	for {
		s.warnExpiry(time.Now())
		asked := false
		select {
		case <-ctx.Done():
			return nil
		case <-s.o.Reload:
			asked = true
		case <-tick.C:
		}
		now := stamp(s.settings.Files)
		settled := now == last
		last = now
		if asked || now != seen && settled {
			s.tell(ctx, "RELOADING=1")
			s.reconfigure(ctx)
			s.tell(ctx, "READY=1")
			seen = now // of before: what has changed meanwhile, or is looked at now for the first time, is read once more
		}
	}
}

// reconfigure reads the settings again and puts them into effect, all or, with a fault, none.
func (s *serveNode) reconfigure(ctx context.Context) {
	next, err := readServe(s.o)
	if err != nil {
		s.reloads.failed.Add(1)
		for _, f := range faultsOf(err) {
			s.log.Error("the settings have a fault; those from before stay", "err", f)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	differ := s.settings.keepFixed(next)
	if err := s.apply(ctx, next); err != nil {
		s.reloads.failed.Add(1)
		s.log.Error("the settings could not be put into effect; those from before stay", "err", err)
		if err := s.apply(ctx, s.settings); err != nil {
			s.log.Error("the settings from before could not be put back", "err", err)
		}
		return
	}
	s.settings = next
	s.reloads.done.Add(1)
	s.log.Info("the settings were read again")
	if len(differ) > 0 {
		s.log.Warn("some settings change with the next start", "settings", strings.Join(differ, ", "))
	}
	for _, w := range next.Warnings {
		s.log.Warn("settings", "warning", w.Error())
	}
}

// faultsOf are the single faults of an error.
func faultsOf(err error) []error {
	faults, ok := errors.AsType[cfn.Faults](err)
	if !ok {
		return []error{err}
	}
	out := make([]error, len(faults))
	for i, f := range faults {
		out[i] = f
	}
	return out
}

// apply puts settings into effect. The caller holds mu.
func (s *serveNode) apply(ctx context.Context, next *serveSettings) error {
	if err := s.node.gateway.SetLimits(next.limits()); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	s.keeper.Swap(next.certs)
	s.setLevel(next)
	return s.loadLocked(ctx, next)
}

// warnExpiry tells of certificates that end soon.
func (s *serveNode) warnExpiry(now time.Time) {
	for _, e := range s.keeper.Expiries() {
		key := e.Source + " " + e.Name
		if e.At.Sub(now) > min(expiryWarning, e.At.Sub(e.From)/expiryShare) || now.Sub(s.warned[key]) < expiryPause {
			continue
		}
		s.warned[key] = now
		s.log.Warn("a certificate ends soon", "name", e.Name, "source", e.Source, "ends", e.At.UTC().Format(time.RFC3339))
	}
}
