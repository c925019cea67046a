package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// firstInherited is the first descriptor that systemd passes on (sd_listen_fds(3)).
const firstInherited = 3

// maxInherited is more sockets than a unit has reason to name.
const maxInherited = 64

// Activated returns the listeners that systemd opened for this process, by the names that FileDescriptorName= gives them.
// The environment tells of them; pid is the process's own. Nil: there are none. The caller closes them.
func Activated(env []string, pid int) (map[string][]net.Listener, error) {
	vars := map[string]string{}
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(k, "LISTEN_") {
			vars[k] = v
		}
	}
	if vars["LISTEN_FDS"] == "" || vars["LISTEN_PID"] != strconv.Itoa(pid) {
		return nil, nil //nolint:nilnil // a nil map is no listeners
	}
	n, err := strconv.Atoi(vars["LISTEN_FDS"])
	if err != nil || n < 0 || n > maxInherited {
		return nil, fmt.Errorf("LISTEN_FDS is %q", vars["LISTEN_FDS"])
	}
	names := strings.Split(vars["LISTEN_FDNAMES"], ":")
	out := map[string][]net.Listener{}
	for i := range n {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		f := os.NewFile(uintptr(firstInherited+i), name)
		ln, err := net.FileListener(f) // which duplicates the descriptor
		if err := errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("socket %d of systemd (%s): %w", i, name, err)
			for _, lns := range out {
				for _, ln := range lns {
					err = errors.Join(err, ln.Close())
				}
			}
			return nil, err
		}
		out[name] = append(out[name], ln)
	}
	return out, nil
}
