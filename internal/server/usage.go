package server

import (
	"encoding/json"
	"net/http"

	"cleat/internal/config"
	"cleat/internal/meter/report"
)

// billing is how bills are made.
type billing struct {
	region string
	prices config.Prices
}

// usage is what the node has counted up to now.
func (n *node) usage() report.Usage {
	b := n.billing.Load()
	return report.Of(n.meter.Read(), b.region, b.prices)
}

// serveUsage answers GET /_cleat/usage: JSON, or what ?format= says, "csv" or "table".
func (n *node) serveUsage(w http.ResponseWriter, r *http.Request) {
	u := n.usage()
	var body []byte
	var err error
	kind := "text/plain; charset=utf-8"
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		kind = "application/json"
		body, err = json.MarshalIndent(u, "", "  ")
		body = append(body, '\n')
	case "csv":
		kind = "text/csv; charset=utf-8"
		body, err = u.CSV()
	case "table":
		body = u.Table()
	default:
		http.Error(w, "format must be json, csv or table", http.StatusBadRequest)
		return
	}
	if err != nil {
		n.log.Error("the usage could not be written", "err", err)
		http.Error(w, "the usage could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body) // a client that is gone needs no answer
}
