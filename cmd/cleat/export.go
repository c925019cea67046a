package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"cleat/internal/apigw"
	"cleat/internal/awsclient"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/export"
	"cleat/internal/project"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/terminal"
)

// exportFlags say what is read of an API, and how it is written.
type exportFlags struct {
	API       string `arg:"" optional:"" help:"The API's ID or name. Without it the WebSocket APIs are listed."`
	Format    string `enum:"cloudformation,cleat" default:"cloudformation" help:"What to write: cloudformation holds everything, cleat is the short form of cleat.yaml (${enum})."`
	KeyValues bool   `help:"Write the values of API keys too, which are credentials."`
}

// exportCommand writes an API of a node (docs/moving-from-aws.md).
type exportCommand struct {
	exportFlags
	remoteFlags
	JSON   bool   `name:"json" help:"Write JSON rather than YAML."`
	Output string `short:"o" type:"path" help:"File to write. Default: standard output." placeholder:"FILE"`
}

// Help is what "cleat export --help" teaches beyond the flags.
func (exportCommand) Help() string {
	return `What is written has no IDs, so that the same API gives the same text from any node. It can be given to "cleat apply", to
CloudFormation, and into version control. Notes of what it cannot say go to standard error.`
}

// Run exports one API.
func (c *exportCommand) Run(p *process) error {
	node, err := c.open(p, "apigateway")
	if err != nil {
		return err
	}
	defer node.client.Close()
	x := &exporting{exportFlags: &c.exportFlags, p: p, client: node.client}
	api, err := x.read()
	if err != nil || api == nil {
		return err
	}
	text, _, err := x.write(api, "", c.JSON)
	if err != nil {
		return err
	}
	for _, note := range api.Notes() {
		_, _ = fmt.Fprintf(p.stderr, "note: %s\n", terminal.Printable(note))
	}
	if c.Output == "" {
		_, err = p.stdout.Write(text)
		return err
	}
	return os.WriteFile(c.Output, text, x.mode())
}

// exporting is one run of "cleat export" or "cleat import".
type exporting struct {
	*exportFlags
	p      *process
	client *awsclient.Client
}

// mode is that of the files that are written: those with credentials in them are their owner's.
func (x *exporting) mode() os.FileMode {
	if x.KeyValues {
		return 0o600
	}
	return 0o644
}

// read reads the API that is named. Without a name it lists what there is, and returns nil.
func (x *exporting) read() (*export.API, error) {
	all, err := export.List(x.p.ctx, x.client)
	if err != nil {
		return nil, inPlainWords(err)
	}
	if x.API == "" {
		return nil, listAPIs(x.p.stdout, all)
	}
	id, err := find(all, x.API)
	if err != nil {
		return nil, err
	}
	api, err := export.Read(x.p.ctx, x.client, id, export.Options{KeyValues: x.KeyValues})
	return api, inPlainWords(err)
}

// find returns the ID of an API that is named by it or by its name.
func find(all []apigw.API, name string) (string, error) {
	id := ""
	for i := range all {
		switch {
		case string(all[i].APIID) == name:
			return name, nil
		case all[i].Name == name && id != "":
			return "", fmt.Errorf("there are several WebSocket APIs of the name %s: name one by its ID", name)
		case all[i].Name == name:
			id = string(all[i].APIID)
		}
	}
	if id == "" {
		return "", fmt.Errorf("there is no WebSocket API %s: leave it out to see which there are", name)
	}
	return id, nil
}

func listAPIs(w io.Writer, all []apigw.API) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tNAME\tMADE")
	for i := range all {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", terminal.Printable(string(all[i].APIID)), terminal.Printable(all[i].Name), all[i].CreatedDate.Format("2006-01-02"))
	}
	return table.Flush()
}

// write returns an API as text, and as a template.
func (x *exporting) write(api *export.API, region string, asJSON bool) (text []byte, template *cfn.Value, err error) {
	template = api.CloudFormation()
	v := template
	if x.Format == "cleat" {
		short, misfits := api.Short(region)
		if len(misfits) == 0 {
			misfits = x.compare(api, short)
		}
		if len(misfits) > 0 {
			return nil, nil, fmt.Errorf("the API does not fit into cleat.yaml; --format cloudformation takes all of it:\n  - %s", printableLines(misfits))
		}
		v = short
	}
	if asJSON {
		var out bytes.Buffer
		err = indentJSON(&out, v.AppendJSON(nil))
		return out.Bytes(), template, err
	}
	text, err = v.YAML()
	return text, template, err
}

func printableLines(lines []string) string {
	out := make([]string, len(lines))
	for i := range lines {
		out[i] = terminal.Printable(lines[i])
	}
	return strings.Join(out, "\n  - ")
}

// compare reads a cleat.yaml back and says why what comes of it is not the same API.
func (x *exporting) compare(api *export.API, short *cfn.Value) (misfits []string) {
	got, err := x.readBack(short)
	if err != nil {
		return strings.Split(err.Error(), "\n")
	}
	if !bytes.Equal(got.Behaviour(), api.Behaviour()) {
		return []string{"something of it would not come out the same"}
	}
	return nil
}

func (x *exporting) readBack(short *cfn.Value) (api *export.API, err error) {
	dir, err := os.MkdirTemp("", "cleat-export-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	text, err := short.YAML()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "cleat.yaml"), text, 0o600); err != nil {
		return nil, err
	}
	p, err := project.Load(dir, project.Options{})
	if err != nil {
		return nil, err
	}
	s := store.New(memory.New())
	out, err := stacks.New(s, stacks.Options{}).Apply(x.p.ctx, stacks.Stack{Name: p.Name, Template: p.Template, Parameters: p.Parameters, Region: p.Region})
	if err != nil {
		return nil, err
	}
	if len(out.APIs) != 1 {
		return nil, fmt.Errorf("it comes out as %d APIs", len(out.APIs))
	}
	tree, err := s.Tree(x.p.ctx, out.APIs[0].ID)
	if err != nil {
		return nil, err
	}
	return export.Of(tree, nil), nil
}
