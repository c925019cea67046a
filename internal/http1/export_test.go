package http1

import "net/url"

// URL is what a request's URL is made of.
func (h *Head) URL() url.URL { return h.url }
