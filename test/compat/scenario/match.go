package scenario

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Vars are what the placeholders of one running scenario stand for. It is not safe for concurrent use, but for
// ExpandKnown.
//
// A placeholder is <shape> or <shape:name>. With a name it means the same text throughout the scenario, without one
// within a single step; <connectionId> is <connectionId:CLIENT>, of the step's client. The first match gives it its value.
// Some are known from the start, because the target says so: <host>, <apiId>, <backend> and the like.
type Vars struct {
	mu    sync.Mutex        // held to write known, and by ExpandKnown
	known map[string]string // by shape

	bound  map[string]string // by "shape:name"
	local  map[string]string // by shape, of the step
	client string
}

// NewVars returns Vars that know some shapes' values.
func NewVars(known map[string]string) *Vars {
	return &Vars{known: known, bound: map[string]string{}, local: map[string]string{}, client: DefaultClient}
}

// Begin begins a step of a client.
func (v *Vars) Begin(client string) { v.client, v.local = client, map[string]string{} }

// KnowAll adds what the target says that shapes mean.
func (v *Vars) KnowAll(known map[string]string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.Copy(v.known, known)
}

// Learn gives a named placeholder its value, unless it has one.
func (v *Vars) Learn(shape, name, value string) {
	if _, ok := v.bound[shape+":"+name]; !ok {
		v.bound[shape+":"+name] = value
	}
}

// ExpandKnown fills placeholders that the target knows, and <fill>. It is safe for concurrent use with all other methods.
func (v *Vars) ExpandKnown(text string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	for _, s := range segmentsOf(text) {
		switch value, ok := v.known[s.shape]; {
		case s.shape == "":
			b.WriteString(s.literal)
		case !ok:
			return "", fmt.Errorf("a backend does not know what <%s> is", s.shape)
		default:
			b.WriteString(value)
		}
	}
	return b.String(), nil
}

const id = `[A-Za-z0-9_-]{15}=`

// shapes are what placeholders may match. A shape that the target knows matches its value alone.
var shapes = func() map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	for name, pattern := range map[string]string{
		"connectionId": id, "requestId": id, "messageId": id,
		"uuid":  `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
		"epoch": `[0-9]{13}`, "number": `-?[0-9]+`,
		"time":  `[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3} \+0000`,
		"iso":   `[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z`,
		"trace": `Root=1-[0-9a-f]{8}-[0-9a-f]{24}`,
		"wskey": `[A-Za-z0-9+/]{22}==`,
		"any":   `(?s).*`, "text": `[^"]*`, "newline": `\n`,
		"host": `[A-Za-z0-9.:-]+`, "port": `[0-9]+`, "scheme": `https?`, "apiId": `[a-z0-9]{10}`, "stage": `[A-Za-z0-9_-]+`,
		"sourceIp": `[0-9a-f.:]+`, "region": `[a-z0-9-]+`, "account": `[0-9]{12}`,
		"backend": `https?://[^" ]+`, "backendHost": `[A-Za-z0-9.:-]+`, "nowhere": `https?://[^" ]+`, "gatewayIp": `[0-9a-f.:]+`,
	} {
		out[name] = regexp.MustCompile(`\A(?:` + pattern + `)`)
	}
	return out
}()

// segment is a piece of a pattern: literal text, or a placeholder.
type segment struct {
	literal string
	shape   string // "" for a literal
	name    string
}

var placeholder = regexp.MustCompile(`<(?:([a-zA-Z]+)(?::([a-z][a-z0-9]*))?|fill ([0-9]{1,8})(?: ([^<>]+))?)>`)

// segments cuts a text at its placeholders. What looks like one and is not known is literal text.
func segmentsOf(text string) []segment {
	var out []segment
	literal := func(s string) {
		if s == "" {
			return
		}
		if n := len(out); n > 0 && out[n-1].shape == "" {
			out[n-1].literal += s
			return
		}
		out = append(out, segment{literal: s})
	}
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		literal(text[at:m[0]])
		at = m[1]
		if m[6] >= 0 {
			n, err := strconv.Atoi(text[m[6]:m[7]])
			piece := "x"
			if m[8] >= 0 {
				piece = text[m[8]:m[9]]
			}
			if err != nil || n > 64<<20 {
				n = 0
			}
			literal(strings.Repeat(piece, n/len(piece)+1)[:n-n%len(piece)])
			continue
		}
		shape := text[m[2]:m[3]]
		if shapes[shape] == nil {
			literal(text[m[0]:m[1]])
			continue
		}
		s := segment{shape: shape}
		if m[4] >= 0 {
			s.name = text[m[4]:m[5]]
		}
		out = append(out, s)
	}
	literal(text[at:])
	return out
}

// value is what a placeholder means already.
func (v *Vars) value(s segment) (string, bool) {
	if known, ok := v.known[s.shape]; ok && s.name == "" {
		return known, true
	}
	if key := v.key(s); key != "" {
		value, ok := v.bound[key]
		return value, ok
	}
	value, ok := v.local[s.shape]
	return value, ok
}

// key is the name under which a placeholder's value is kept for the scenario, "" for the step.
func (v *Vars) key(s segment) string {
	if s.name == "" && s.shape == "connectionId" {
		s.name = v.client
	}
	if s.name == "" {
		return ""
	}
	return s.shape + ":" + s.name
}

// Expand fills the placeholders of what is sent.
func (v *Vars) Expand(text string) (string, error) {
	var b strings.Builder
	for _, s := range segmentsOf(text) {
		if s.shape == "" {
			b.WriteString(s.literal)
			continue
		}
		value, ok := v.value(s)
		if !ok {
			return "", fmt.Errorf("nothing has said yet what <%s> is", strings.TrimSuffix(s.shape+":"+s.name, ":"))
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// Match compares what came with what a scenario expects. A match gives placeholders that had no value theirs.
func (v *Vars) Match(want, got string) error {
	m := match{v: v, taken: map[string]string{}}
	if !m.run(segmentsOf(want), got) {
		return &Mismatch{Want: want, Got: got, At: m.far(got)}
	}
	for key, value := range m.taken {
		shape, name, _ := strings.Cut(key, ":")
		switch {
		case name != "":
			v.bound[key] = value
		case !anonymous[shape]:
			v.local[shape] = value
		}
	}
	return nil
}

// anonymous are the shapes that need not mean the same within a step.
var anonymous = map[string]bool{"any": true, "text": true, "number": true, "epoch": true, "iso": true, "uuid": true}

// Mismatch is what came instead of what was expected.
type Mismatch struct { //nolint:errname // it is not an error of the program: the expectation was not met
	Want, Got string
	At        int // where Got first goes astray
}

const shown = 2000

func (m *Mismatch) Error() string {
	got := m.Got
	cut := func(s string) string {
		if len(s) > shown {
			return s[:shown] + fmt.Sprintf("… (%d bytes)", len(s))
		}
		return s
	}
	text := fmt.Sprintf("got  %s\nwant %s", Escape(cut(got)), Escape(cut(m.Want)))
	if len(got) > 40 && m.At < len(got) {
		text += fmt.Sprintf("\nthey part at byte %d of what came: …%s", m.At, Escape(cut(got[max(0, m.At-10):min(len(got), m.At+30)])))
	}
	return text
}

type match struct {
	v     *Vars
	taken map[string]string
	least int // the shortest rest that was reached
	began bool
}

func (m *match) far(got string) int {
	if !m.began {
		return 0
	}
	return len(got) - m.least
}

func (m *match) reach(rest string, common int) {
	if n := len(rest) - common; !m.began || n < m.least {
		m.began, m.least = true, n
	}
}

func (m *match) run(want []segment, got string) bool {
	if len(want) == 0 {
		m.reach(got, 0)
		return got == ""
	}
	s := want[0]
	if s.shape == "" {
		rest, ok := strings.CutPrefix(got, s.literal)
		m.reach(got, common(got, s.literal))
		return ok && m.run(want[1:], rest)
	}
	value, known := m.v.value(s)
	key := m.v.key(s)
	if key == "" {
		key = s.shape
	}
	if taken, ok := m.taken[key]; ok && !known && (s.name != "" || !anonymous[s.shape]) {
		value, known = taken, true
	}
	if known {
		rest, ok := strings.CutPrefix(got, value)
		m.reach(got, common(got, value))
		return ok && m.run(want[1:], rest)
	}
	loc := shapes[s.shape].FindStringIndex(got)
	if loc == nil {
		m.reach(got, 0)
		return false
	}
	// Shapes of free length give way to what follows; the others have one length.
	for n := loc[1]; n >= 0; n-- {
		if n < loc[1] && s.shape != "any" && s.shape != "text" && s.shape != "number" {
			break
		}
		if s.shape == "epoch" && !recent(got[:n]) {
			break
		}
		before, had := m.taken[key]
		m.taken[key] = got[:n]
		if m.run(want[1:], got[n:]) {
			return true
		}
		if delete(m.taken, key); had {
			m.taken[key] = before
		}
	}
	m.reach(got, 0)
	return false
}

// recent tells whether a time in milliseconds is of this run.
func recent(epoch string) bool {
	ms, err := strconv.ParseInt(epoch, 10, 64)
	return err == nil && time.Since(time.UnixMilli(ms)).Abs() < 10*time.Minute
}

func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Template makes an expectation of what came: values that are known or bound become their placeholders, and what looks
// as a placeholder's shape does becomes that.
func (v *Vars) Template(got string) string {
	type pair struct{ value, name string }
	var pairs []pair
	for shape, value := range v.known {
		if len(value) > 6 {
			pairs = append(pairs, pair{value, "<" + shape + ">"})
		}
	}
	for key, value := range v.bound {
		if len(value) > 6 {
			if key == "connectionId:"+v.client {
				key = "connectionId"
			}
			pairs = append(pairs, pair{value, "<" + key + ">"})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if len(a.value) != len(b.value) {
			return len(b.value) - len(a.value)
		}
		return strings.Compare(a.name, b.name)
	})
	for _, p := range pairs {
		got = strings.ReplaceAll(got, p.value, p.name)
	}
	for _, r := range rewrites {
		got = r.from.ReplaceAllString(got, r.to)
	}
	return got
}

// rewrites turn what differs from run to run into placeholders.
var rewrites = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`"connectionId":"` + id + `"`), `"connectionId":"<connectionId>"`},
	{regexp.MustCompile(`"messageId":"` + id + `"`), `"messageId":"<messageId>"`},
	{regexp.MustCompile(`"(requestId|extendedRequestId)":"` + id + `"`), `"$1":"<requestId>"`},
	{regexp.MustCompile(`"X-Forwarded-Port":(\[?)"[0-9]+"`), `"X-Forwarded-Port":$1"<port>"`},
	{regexp.MustCompile(`"X-Forwarded-Proto":(\[?)"https?"`), `"X-Forwarded-Proto":$1"<scheme>"`},
	{regexp.MustCompile(`"stage":"[A-Za-z0-9_-]+"`), `"stage":"<stage>"`},
	{regexp.MustCompile(`\b(1[0-9]{12})\b`), `<epoch>`},
	{regexp.MustCompile(`[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3} \+0000`), `<time>`},
	{regexp.MustCompile(`Root=1-[0-9a-f]{8}-[0-9a-f]{24}`), `<trace>`},
	{regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`), `<uuid>`},
}
