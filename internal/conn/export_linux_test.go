package conn

// TryTLSTrim reports whether crypto/tls buffers can be let go with this Go version, and if not why.
func TryTLSTrim() error {
	_, err := newTLSTrim()
	return err
}

// KeepTLSBuffers makes a Hub of the epoll engine do without.
func KeepTLSBuffers(h *Hub) {
	g := h.engine.(*epollEngine)
	g.trimOnce.Do(func() {})
}
