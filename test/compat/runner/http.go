package runner

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 prescribes it
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"cleat/test/compat/scenario"
)

// client is one of a scenario's clients.
type client struct {
	*socket

	key       string // Sec-WebSocket-Key of the handshake under way
	sentClose bool
}

func (c *client) close() {
	if c.socket != nil {
		_ = c.Close() // the server may have been first
		c.socket = nil
	}
}

// sampleKey is RFC 6455 §1.3's.
const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// connect opens a connection and, unless it is for bytes only, sends a handshake.
func (r *run) connect(st *scenario.Step) error {
	if old := r.clients[st.Client]; old != nil {
		old.close()
	}
	s, err := dial(r.ctx, secure(r.d.Endpoint), address(r.d.Endpoint), r.o.TLS)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	c := &client{socket: s}
	r.clients[st.Client] = c
	if st.Verb == "tcp" {
		return nil
	}
	fields := []scenario.Field{
		{Name: "Host", Value: r.d.Endpoint.Host},
		{Name: "Upgrade", Value: "websocket"},
		{Name: "Connection", Value: "Upgrade"},
		{Name: "Sec-WebSocket-Key", Value: sampleKey},
		{Name: "Sec-WebSocket-Version", Value: "13"},
	}
	head, key, err := r.head(st, http.MethodGet, r.d.Endpoint, fields, "", nil)
	if err != nil {
		return err
	}
	c.key = key
	if err := c.send(head); err != nil {
		return fmt.Errorf("send the handshake: %w", err)
	}
	for _, l := range st.Lines {
		if l.Word == "later" {
			return nil
		}
	}
	return r.finish(st, c)
}

// head makes the bytes of a request: fields with the step's own in their place or behind them.
func (r *run) head(st *scenario.Step, method string, base *url.URL, fields []scenario.Field, body string, sign func(string, *url.URL, []byte) ([]scenario.Field, error)) (head []byte, key string, err error) {
	target, err := r.vars.Expand(st.Arg)
	if err != nil {
		return nil, "", err
	}
	switch {
	case strings.HasPrefix(target, "/"), strings.HasPrefix(target, "http"):
	case strings.HasPrefix(target, "?"), target == "":
		target = base.Path + target
	default:
		target = base.Path + "/" + target
	}
	own := map[string]bool{}
	for _, l := range st.Lines {
		if l.Mark != ">" {
			continue
		}
		switch l.Word {
		case "no":
			fields = without(fields, l.Name)
		case "header":
			value, err := r.vars.Expand(l.Text)
			if err != nil {
				return nil, "", err
			}
			name := strings.ToLower(l.Name)
			fields = replace(fields, scenario.Field{Name: l.Name, Value: value}, own[name])
			own[name] = true
		}
	}
	for _, l := range st.Lines {
		if l.Word == "signed" {
			var signed []scenario.Field
			if target, signed, err = r.signStep(l.Text, method, target, hostOf(fields), []byte(body)); err != nil {
				return nil, "", fmt.Errorf("sign: %w", err)
			}
			fields = append(fields, signed...)
			own["authorization"] = true
		}
	}
	if sign != nil && !own["authorization"] {
		u := *base
		u.RawPath, u.RawQuery, _ = strings.Cut(target, "?")
		if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
			return nil, "", err
		}
		signed, err := sign(method, &u, []byte(body))
		if err != nil {
			return nil, "", fmt.Errorf("sign: %w", err)
		}
		fields = append(fields, signed...)
	}
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\r\n")
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
		if strings.EqualFold(f.Name, "Sec-WebSocket-Key") {
			key = f.Value
		}
	}
	b.WriteString("\r\n" + body)
	return []byte(b.String()), key, nil
}

func hostOf(fields []scenario.Field) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, "Host") {
			return f.Value
		}
	}
	return ""
}

func without(fields []scenario.Field, name string) []scenario.Field {
	var out []scenario.Field
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) {
			out = append(out, f)
		}
	}
	return out
}

// replace puts a field in the place of the runner's own of that name, or behind the others.
func replace(fields []scenario.Field, f scenario.Field, more bool) []scenario.Field {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, f.Name) && !more {
			fields[i] = f
			return fields
		}
	}
	return append(fields, f)
}

// request makes a request, or several until one is answered as wanted.
func (r *run) request(st *scenario.Step) error {
	times := 1
	for _, l := range st.Lines {
		if l.Word == "repeat" {
			times, _ = strconv.Atoi(l.Text) // the parser has read it
		}
	}
	for ; ; times-- {
		if err := r.requestOnce(st); err == nil || times <= 1 {
			return err
		}
	}
}

// requestOnce makes a request on a connection of its own, of the management API or any other.
func (r *run) requestOnce(st *scenario.Step) error {
	s, err := dial(r.ctx, secure(r.d.Management), address(r.d.Management), r.o.TLS)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = s.Close() }() // whatever is left to say was in the answer
	body := ""
	fields := []scenario.Field{{Name: "Host", Value: r.d.Management.Host}, {Name: "Connection", Value: "close"}}
	for _, l := range st.Lines {
		if l.Mark != ">" || l.Word != "body" && l.Word != "bytes" {
			continue
		}
		if body, err = r.vars.Expand(l.Text); err != nil {
			return err
		}
		if l.Word == "bytes" {
			if body, err = scenario.Unescape(body); err != nil {
				return err
			}
		}
	}
	if body != "" || st.Verb == http.MethodPost || st.Verb == http.MethodPut {
		fields = append(fields, scenario.Field{Name: "Content-Length", Value: strconv.Itoa(len(body))})
	}
	head, _, err := r.head(st, st.Verb, r.d.Management, fields, body, r.d.Sign)
	if err != nil {
		return err
	}
	// A server may refuse a long body while it is still being sent: what it says counts then.
	sendErr := s.send(head)
	res, err := s.readAnswer(st.Verb, r.o.Patience)
	if err != nil {
		return errors.Join(fmt.Errorf("read the answer: %w", err), sendErr)
	}
	return r.compare(st, http.StatusOK, res)
}

// finish reads the answer to a handshake.
func (r *run) finish(st *scenario.Step, c *client) error {
	res, err := c.readAnswer(http.MethodGet, r.o.Patience)
	if err != nil {
		return fmt.Errorf("no answer to the handshake: %w", err)
	}
	if res.status == http.StatusSwitchingProtocols {
		sum := sha1.Sum([]byte(c.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
		if want := base64.StdEncoding.EncodeToString(sum[:]); res.header.Get("Sec-WebSocket-Accept") != want {
			return fmt.Errorf("Sec-WebSocket-Accept is %q, not %q", res.header.Get("Sec-WebSocket-Accept"), want)
		}
		if !strings.EqualFold(res.header.Get("Upgrade"), "websocket") || !strings.EqualFold(res.header.Get("Connection"), "upgrade") {
			return fmt.Errorf("a 101 with Upgrade %q, Connection %q", res.header.Get("Upgrade"), res.header.Get("Connection"))
		}
	} else {
		defer c.close()
	}
	return r.compare(st, http.StatusSwitchingProtocols, res)
}

// compare holds an HTTP answer against the "<" lines of a step.
func (r *run) compare(st *scenario.Step, status int, res *answer) error {
	var errs []error
	told, line, prefix := strconv.Itoa(status), st.Line, ""
	for _, l := range st.Lines {
		if l.Mark == "<" && l.Word == "status" {
			told, line, prefix = l.Text, l.Line, "  < "
		}
	}
	if got := strconv.Itoa(res.status); got != told {
		f := &failure{line: line, text: fmt.Sprintf("got status %s %s, want %s", got, scenario.Escape(res.body), told)}
		if prefix != "" {
			f.edit = &Edit{line, line, []string{prefix + got}}
		}
		errs = append(errs, f)
	}
	read := map[string]int{}
	for _, l := range st.Lines {
		if l.Mark != "<" {
			continue
		}
		values := res.header.Values(l.Name)
		switch l.Word {
		case "header":
			n := read[strings.ToLower(l.Name)]
			read[strings.ToLower(l.Name)]++
			if n >= len(values) {
				errs = append(errs, &failure{line: l.Line, text: fmt.Sprintf("there is no header %s among %v", l.Name, res.header)})
				continue
			}
			errs = append(errs, r.match(l.Line, "header "+l.Name, "  < "+l.Name+": ", l.Text, values[n]))
		case "no":
			if len(values) > 0 {
				errs = append(errs, &failure{line: l.Line, text: fmt.Sprintf("there is a header %s: %s", l.Name, values[0])})
			}
		case "body":
			errs = append(errs, r.match(l.Line, "body", "  < body ", l.Text, res.body))
		case "empty":
			errs = append(errs, r.matchEmpty(l, res.body))
		default:
			errs = append(errs, r.member(l, "  < ", res.body))
		}
	}
	return errors.Join(errs...)
}

func (r *run) matchEmpty(l scenario.Line, body string) error {
	if body == "" {
		return nil
	}
	return &failure{l.Line, fmt.Sprintf("got %s, want no body", scenario.Escape(body)), &Edit{l.Line, l.Line, []string{"  < body " + r.vars.Template(body)}}}
}

// member checks "has PATH VALUE" and "lacks PATH" on a JSON text.
func (r *run) member(l scenario.Line, prefix, body string) error {
	if l.Word != "has" && l.Word != "lacks" {
		return nil
	}
	if !gjson.Valid(body) {
		return &failure{line: l.Line, text: "not JSON: " + scenario.Escape(body)}
	}
	got := gjson.Get(body, l.Name)
	if l.Word == "lacks" {
		if got.Exists() {
			return &failure{line: l.Line, text: fmt.Sprintf("%s is there: %s", l.Name, got.Raw)}
		}
		return nil
	}
	if !got.Exists() {
		return &failure{line: l.Line, text: fmt.Sprintf("%s is not there in %s", l.Name, scenario.Escape(body))}
	}
	return r.match(l.Line, l.Name, prefix+"has "+l.Name+" ", l.Text, got.Raw)
}
