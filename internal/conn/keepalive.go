package conn

import (
	"net"
	"time"
)

// defaultKeepAlive is how long a peer is silent before the kernel asks whether it is still there.
const defaultKeepAlive = time.Minute

// keepAliveProbes is how many probes in a row go unanswered before the kernel gives a silent peer up, twelfths of the idle
// time apart, so that this takes as long again. They are many because the kernel sends probes in bursts: those of all connections that
// fell silent within the same two seconds or so fall due in one tick of its timers, and where no card's queue is in between
// (veth, bridges) all but the first thousand are dropped (net.core.netdev_max_backlog). Each round has another thousand
// answered.
const keepAliveProbes = 12

// probeEvery is the time between two probes, in whole seconds.
func (h *Hub) probeEvery() time.Duration {
	return max((h.keepAlive / keepAliveProbes).Truncate(time.Second), time.Second)
}

// onThisMachine reports whether a peer is at a loopback address. Such a one is never asked whether it is still there: no network can
// lose it, and the kernel closes its sockets when it dies; while probes in bursts (keepAliveProbes) are dropped on the
// loopback without a word to the sender, until connections are given up that are well.
func onThisMachine(peer net.Addr) bool {
	a, ok := peer.(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}
