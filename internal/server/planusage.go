package server

import (
	"time"

	"cleat/internal/apigw"
	"cleat/internal/usageplan"
)

// planUsage returns what a key has used of a plan on each day, and what was left of its quota.
func (n *node) planUsage(plan *apigw.UsagePlan, key string, from, to time.Time) [][2]int64 {
	days := n.plans.Used(plan, key, usageplan.DayOf(from), usageplan.DayOf(to))
	out := make([][2]int64, len(days))
	for i, d := range days {
		out[i] = [2]int64{d.Used, d.Left}
	}
	return out
}

// setRemaining makes that much be left of a key's quota. When it returns nil, a restart does not undo it, where the node
// keeps anything at all.
func (n *node) setRemaining(plan *apigw.UsagePlan, key string, remaining int64) error {
	n.plans.SetLeft(plan, key, remaining, time.Now())
	if n.keeper == nil {
		return nil
	}
	return n.keeper.Save()
}
