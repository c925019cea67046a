package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"cleat/internal/awsapi"
)

// connectionsCommand is the management API from a shell.
type connectionsCommand struct {
	Endpoint string `default:"http://localhost:3001" help:"Management endpoint: where Cleat listens, with or without the stage's path (${default})." placeholder:"URL"`
	Region   string `help:"Region to sign for, where signatures are asked for (AWS_REGION, else us-east-1)." placeholder:"REGION"`

	Ls   connectionsLs   `cmd:"" help:"List the live connections."`
	Get  connectionsGet  `cmd:"" help:"Show one connection."`
	Post connectionsPost `cmd:"" help:"Send a message to a connection, from the command line or standard input."`
	Rm   connectionsRm   `cmd:"" help:"Close a connection."`
	Tail connectionsTail `cmd:"" help:"Follow events as they happen, of all connections or one."`
}

// Bounds of one management request: of its time, and of a message on standard input, of which the endpoint takes less.
const (
	requestTime = 30 * time.Second
	mostInput   = 64 << 20
)

// request makes one management request below the endpoint and returns the answer's body, which the endpoint bounds. It
// signs where the endpoint asks for it and the environment has credentials: nobody else gets to see a session token.
func (c *connectionsCommand) request(p *process, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(p.ctx, requestTime)
	defer cancel()
	got, err := c.exchange(ctx, method, path, body, nil)
	if sign := c.signer(p, body); err == nil && sign != nil && asksForSignature(got.header) {
		got, err = c.exchange(ctx, method, path, body, sign)
	}
	if err != nil {
		return nil, err
	}
	if got.status >= http.StatusMultipleChoices {
		return nil, got.refusal()
	}
	return got.body, nil
}

// asksForSignature tells whether an endpoint refused a request that was not signed.
func asksForSignature(h http.Header) bool {
	return h.Get("X-Amzn-Errortype") == "MissingAuthenticationTokenException"
}

// signer signs requests of a body with the credentials of the environment; it is nil where there are none.
func (c *connectionsCommand) signer(p *process, body []byte) func(*http.Request) {
	creds, found := p.credentials()
	if !found {
		return nil
	}
	return func(r *http.Request) {
		var signer awsapi.SigV4
		for _, f := range signer.Sign(r.Method, r.URL, nil, body, "execute-api", c.region(p), creds, time.Now()) {
			r.Header.Set(f.Name, f.Value)
		}
	}
}

// credentials are those of the environment, as AWS's own tools find them there.
func (p *process) credentials() (creds awsapi.Credentials, found bool) {
	creds = awsapi.Credentials{
		AccessKeyID: p.getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: p.getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: p.getenv("AWS_SESSION_TOKEN"),
	}
	return creds, creds.AccessKeyID != "" && creds.SecretAccessKey != ""
}

// getenv is the last value of a variable, "" when it is not set.
func (p *process) getenv(name string) string {
	for _, kv := range slices.Backward(p.env) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

func (c *connectionsCommand) region(p *process) string {
	return cmp.Or(c.Region, p.getenv("AWS_REGION"), p.getenv("AWS_DEFAULT_REGION"), awsapi.DefaultRegion)
}

// answer is what an endpoint answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// exchange makes one request, changed by change where that is not nil, and reads its answer.
func (c *connectionsCommand) exchange(ctx context.Context, method, path string, body []byte, change func(*http.Request)) (answer, error) {
	res, err := c.do(ctx, method, path, bytes.NewReader(body), change)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	const most = 16 << 20
	got, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer of %s: %w", c.Endpoint, err)
	}
	return answer{res.StatusCode, res.Header, got}, nil
}

func (c *connectionsCommand) do(ctx context.Context, method, path string, body io.Reader, change func(*http.Request)) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Endpoint, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	if change != nil {
		change(r)
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial},
		// The management API redirects nobody, and a session token must not be passed on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w\nIs Cleat running there? Name another place with --endpoint", err)
	}
	return res, nil
}

// root is the same Cleat without the path of a stage: where its own endpoints are.
func (c *connectionsCommand) root() (*connectionsCommand, error) {
	base, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	return &connectionsCommand{Endpoint: base.Scheme + "://" + base.Host, Region: c.Region}, nil
}

// dial connects to a host. Names below localhost are this machine (RFC 6761 §6.3), which not every system's look-up
// knows.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
		addr = net.JoinHostPort("localhost", port)
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// inWords says what the header X-Cleat-Gone means (docs/logs-and-metrics.md). What is not known is shown as it is.
func inWords(gone string) string {
	kind, more, _ := strings.Cut(gone, "; ")
	words := map[string]string{
		"":              "the connection is closed, still connecting, or never was",
		"not-open-yet":  "the connection's $connect is still running",
		"refused":       "the connection's $connect refused it",
		"closed":        "the connection was open and has ended",
		"never-existed": "there never was such a connection here",
		"unknown":       "there never was such a connection, or it ended long ago",
		"other-node":    "the connection was another node's, or of an earlier run",
		"closing":       "the connection's client has vanished",
	}
	text, ok := words[kind]
	switch {
	case !ok:
		return gone
	case more != "":
		return text + " (" + more + ")"
	}
	return text
}

// refusal puts an error answer into words.
func (a answer) refusal() error {
	if a.status == http.StatusGone {
		return errors.New("410 GoneException: " + printable(inWords(a.header.Get("X-Cleat-Gone"))))
	}
	var said struct{ Message string }
	text := strings.TrimSpace(string(a.body))
	if json.Unmarshal(a.body, &said) == nil && said.Message != "" { // field names match without regard to case
		text = said.Message
	}
	return errors.New(printable(fmt.Sprintf("%d %s: %s", a.status, a.header.Get("X-Amzn-Errortype"), text)))
}

func connectionPath(id string) string { return "/@connections/" + url.PathEscape(id) }

type connection struct {
	ConnectionID string `json:"connectionId"`
	APIID        string `json:"apiId"`
	Stage        string `json:"stage"`
	ConnectedAt  string `json:"connectedAt"`
	LastActiveAt string `json:"lastActiveAt"`
	Identity     struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"identity"`
}

type connectionsLs struct {
	JSON bool `name:"json" help:"One JSON object a line."`
}

// Run lists every live connection, page by page.
func (l *connectionsLs) Run(p *process, c *connectionsCommand) error {
	table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	if !l.JSON {
		_, _ = fmt.Fprintln(table, "CONNECTION\tAPI\tSTAGE\tCONNECTED\tLAST ACTIVE\tFROM\tUSER AGENT")
	}
	for next := ""; ; {
		query := url.Values{"maxResults": {"1000"}}
		if next != "" {
			query.Set("nextToken", next)
		}
		body, err := c.request(p, http.MethodGet, "/@connections?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		var page struct {
			Connections []connection `json:"connections"`
			NextToken   string       `json:"nextToken"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return fmt.Errorf("%s did not answer with a list of connections: %w", c.Endpoint, err)
		}
		for _, x := range page.Connections {
			if l.JSON {
				err = json.NewEncoder(jsonWriter{p.stdout}).Encode(x)
			} else {
				_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(x.ConnectionID), printable(x.APIID), printable(x.Stage), x.ConnectedAt, x.LastActiveAt, x.Identity.SourceIP, printable(x.Identity.UserAgent))
			}
			if err != nil {
				return err
			}
		}
		if next = page.NextToken; next == "" {
			return table.Flush()
		}
	}
}

type connectionsGet struct {
	ID string `arg:"" help:"The connection's ID."`
}

// Run shows one connection as the management API does.
func (g *connectionsGet) Run(p *process, c *connectionsCommand) error {
	body, err := c.request(p, http.MethodGet, connectionPath(g.ID), nil)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return fmt.Errorf("%s did not answer with JSON: %w", c.Endpoint, err)
	}
	_, err = fmt.Fprintln(jsonWriter{p.stdout}, out.String())
	return err
}

type connectionsPost struct {
	ID      string `arg:"" help:"The connection's ID."`
	Message string `arg:"" optional:"" default:"-" help:"The message's text; without it, or as -, standard input is sent."`
}

// Run pushes one message.
func (m *connectionsPost) Run(p *process, c *connectionsCommand) error {
	body := []byte(m.Message)
	if m.Message == "-" {
		var err error
		if body, err = io.ReadAll(io.LimitReader(p.stdin, mostInput)); err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
	}
	_, err := c.request(p, http.MethodPost, connectionPath(m.ID), body)
	return err
}

type connectionsRm struct {
	IDs []string `arg:"" name:"id" help:"The connections' IDs."`
}

// Run closes connections; one that is gone does not keep the others open.
func (r *connectionsRm) Run(p *process, c *connectionsCommand) error {
	var failed []error
	for _, id := range r.IDs {
		if _, err := c.request(p, http.MethodDelete, connectionPath(id), nil); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

type connectionsTail struct {
	ID string `arg:"" optional:"" help:"Only this connection's events."`
}

// Run prints events, one JSON object a line, until the process is told to stop or the node ends.
func (t *connectionsTail) Run(p *process, c *connectionsCommand) error {
	root, err := c.root()
	if err != nil {
		return err
	}
	res, err := root.follow(p)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10)) // what came of it is shown as it is
		return answer{res.StatusCode, res.Header, body}.refusal()
	}
	dec := json.NewDecoder(res.Body)
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		switch {
		case p.ctx.Err() != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("follow the events of %s: %w", c.Endpoint, err)
		}
		var of struct {
			ID string `json:"connection_id"`
		}
		if t.ID != "" && (json.Unmarshal(raw, &of) != nil || of.ID != t.ID) {
			continue
		}
		if _, err := fmt.Fprintf(jsonWriter{p.stdout}, "%s\n", raw); err != nil {
			return err
		}
	}
}

// follow asks for the stream of events.
func (c *connectionsCommand) follow(p *process) (*http.Response, error) {
	res, err := c.do(p.ctx, http.MethodGet, "/_cleat/events", nil, nil)
	sign := c.signer(p, nil)
	if err != nil || sign == nil || !asksForSignature(res.Header) {
		return res, err
	}
	_ = res.Body.Close() // it says no more than the header
	return c.do(p.ctx, http.MethodGet, "/_cleat/events", nil, sign)
}
