package backend

// NetHTTP returns an HTTP that leaves every call to net/http: what the short way is held against.
func NetHTTP(o HTTPOptions) *HTTP {
	h := NewHTTP(o)
	h.pool = nil
	return h
}
