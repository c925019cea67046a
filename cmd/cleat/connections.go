package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"cleat/internal/awsclient"
	"cleat/internal/terminal"
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

const mostInput = 64 << 20 // bytes of a message on standard input, of which the endpoint takes less

// request makes one management request below the endpoint and returns the answer's body, which the endpoint bounds. It
// signs where the endpoint asks for it and there are credentials: nobody else gets to see a session token.
func (c *connectionsCommand) request(p *process, method, path string, query url.Values, body []byte) ([]byte, error) {
	client, err := c.client(p)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	got, err := client.Do(p.ctx, awsclient.Request{Method: method, Path: path, Query: query, Body: body})
	return got.Body, inPlainWords(err)
}

func (c *connectionsCommand) client(p *process) (*awsclient.Client, error) {
	sources := awsclient.Sources{Env: p.env}
	client, err := awsclient.New(awsclient.Options{
		Endpoint: c.Endpoint, Service: "execute-api", Region: cmp.Or(c.Region, sources.Region(p.ctx)), Credentials: sources.Credentials(), OnDemand: true,
	})
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	return client, nil
}

// root is the same Cleat without the path of a stage: where its own endpoints are.
func (c *connectionsCommand) root() (*connectionsCommand, error) {
	base, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	return &connectionsCommand{Endpoint: base.Scheme + "://" + base.Host, Region: c.Region}, nil
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

// inPlainWords makes an error fit for a terminal, and says why a connection is gone.
func inPlainWords(err error) error {
	failed, ok := errors.AsType[*awsclient.Error](err)
	switch {
	case !ok:
		return err
	case failed.Status == http.StatusGone:
		return errors.New("410 GoneException: " + terminal.Printable(inWords(failed.Header.Get("X-Cleat-Gone"))))
	}
	text, hint := failed.Error(), failed.Hint()
	if hint == "" {
		return errors.New(terminal.Printable(text))
	}
	return errors.New(terminal.Printable(strings.TrimSuffix(text, "\n"+hint)) + "\n" + hint)
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
		body, err := c.request(p, http.MethodGet, "/@connections", query, nil)
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
				err = json.NewEncoder(terminal.JSONWriter{To: p.stdout}).Encode(x)
			} else {
				_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", terminal.Printable(x.ConnectionID), terminal.Printable(x.APIID), terminal.Printable(x.Stage), x.ConnectedAt, x.LastActiveAt, x.Identity.SourceIP, terminal.Printable(x.Identity.UserAgent))
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
	body, err := c.request(p, http.MethodGet, connectionPath(g.ID), nil, nil)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return fmt.Errorf("%s did not answer with JSON: %w", c.Endpoint, err)
	}
	_, err = fmt.Fprintln(terminal.JSONWriter{To: p.stdout}, out.String())
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
	_, err := c.request(p, http.MethodPost, connectionPath(m.ID), nil, body)
	return err
}

type connectionsRm struct {
	IDs []string `arg:"" name:"id" help:"The connections' IDs."`
}

// Run closes connections; one that is gone does not keep the others open.
func (r *connectionsRm) Run(p *process, c *connectionsCommand) error {
	var failed []error
	for _, id := range r.IDs {
		if _, err := c.request(p, http.MethodDelete, connectionPath(id), nil, nil); err != nil {
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
	client, err := root.client(p)
	if err != nil {
		return err
	}
	defer client.Close()
	res, err := client.Follow(p.ctx, awsclient.Request{Method: http.MethodGet, Path: "/_cleat/events"})
	if err != nil {
		return inPlainWords(err)
	}
	defer func() { _ = res.Close() }()
	dec := json.NewDecoder(res)
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
		if _, err := fmt.Fprintf(terminal.JSONWriter{To: p.stdout}, "%s\n", raw); err != nil {
			return err
		}
	}
}
