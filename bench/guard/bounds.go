package guard

import "cleat/bench/result"

// Bound is one figure of Cleat's that may not grow.
type Bound struct {
	Of     string // in words, for the table that is printed
	Case   string // of bench/run, with its step: "mock/100/capacity"
	Figure string // result.CPU or result.User
	// Floor is the case of the bare echo whose same figure, from the same round, Cleat's is divided by. Empty: Cleat's own
	// figure counts as it is, which suits bytes and no time.
	Floor string
	// Usual is what was measured when the bound was set, and Most what fails. Both are ratios, or figures where Floor is empty.
	Usual, Most float64
}

const (
	echoMessage = "mock/100/capacity"
	echoConnect = "connect/plain/capacity"
)

// Bounds are those that CI holds Cleat to.
//
// Most is about a quarter beyond what is usual: more than what medians of five rounds were seen to differ by while five other
// programs were at work on the machine, and less than what a regression worth a look adds. One more write to a socket is 0.6 to
// 0.8 of an echo's message, which is a read, a write and little else; 20 us more of computing are two of them.
//
// Whoever makes an operation cheaper lowers both numbers of its row to what `make bench-guard` prints then and a quarter more.
func Bounds() []Bound {
	return []Bound{
		// One read and one write, as the echo has; what is beyond 1 is Cleat's own code. One write more does not pass.
		{"an answer by a MOCK with a template", "mock/100/capacity", result.CPU, echoMessage, 1.3, 1.7},
		// Two reads and two writes, and wake-ups between processes, whose number varies with what else the machine does.
		{"a message to an HTTP backend and back", "message/100B/100/capacity", result.CPU, echoMessage, 3.6, 4.8},
		// The same, and a signature of 1 KB to verify, which costs as much however cheap the machine's sockets are.
		{"a signed push of 1 KB", "push/one/capacity", result.CPU, echoMessage, 3.9, 5.1},
		// The kernel's accept and close are half of either. How many clients wait at once varies, and so what is shared between them.
		{"a connect, let in by a MOCK", "connect/plain/capacity", result.CPU, echoConnect, 1.4, 1.9},
		// Garbage that nobody has collected counts: it is read before a node that has become quiet gives it back.
		{"bytes of an idle connection", "idle/plain/idle", result.User, "", 400, 900},
		// Its fixed part is what the process has grown by meanwhile: 0.9 KB each of 10,000 have been seen, and once 1.01.
		{"bytes of one that has talked", "idle/plain/talked", result.User, "", 650, 1200},
	}
}
