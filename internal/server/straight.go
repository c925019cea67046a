package server

import (
	"net/http"
	"strings"

	"cleat/internal/listen"
)

// ownPath is the first segment of everything that a node answers for itself beside the data plane.
const ownPath = "_cleat"

// straight is mux, less its expense for most requests: those that it would pass on, as they are, to root, which is its handler of
// "/". All its other patterns must begin with "/_cleat/" and name no host.
func straight(mux, root http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect && isOthers(listen.EscapedPath(r.URL)) {
			root.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// isOthers tells of an escaped path that lies beside ownPath however it is read, and of which a ServeMux would want no other form.
func isOthers(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path, "/.") {
		return false
	}
	first, _, _ := strings.Cut(path[1:], "/")
	return first != ownPath && !strings.Contains(first, "%")
}
