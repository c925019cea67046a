package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/awsclient"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/export"
	"cleat/internal/project"
	"cleat/internal/terminal"
)

// importCommand reads an API out of AWS (docs/moving-from-aws.md).
type importCommand struct {
	exportFlags
	FromAWS  bool   `name:"from-aws" help:"Read from AWS itself, in --region."`
	Endpoint string `help:"Read from the control plane there: another node, an emulator, or AWS by another name." placeholder:"URL"`
	Region   string `help:"Region to read from (AWS_REGION, else the profile's, else us-east-1)." placeholder:"REGION"`
	Profile  string `help:"Profile of the shared AWS configuration whose credentials sign what is read." placeholder:"NAME"`
	Output   string `short:"o" type:"path" help:"Folder to write. Default: one of the API's name." placeholder:"DIR"`
	Force    bool   `help:"Overwrite what is in the folder already."`

	Apply     bool   `help:"Send the API to a node at once."`
	To        string `default:"http://127.0.0.1:3002" env:"CLEAT_ENDPOINT" help:"With --apply: where the node's control plane listens (${default})." placeholder:"URL"`
	ToProfile string `help:"With --apply: profile whose credentials sign what is sent there." placeholder:"NAME"`
	Name      string `help:"With --apply: name of the stack on the node. Default: the API's name." placeholder:"NAME"`
	Yes       bool   `short:"y" help:"With --apply: do not ask before changing anything."`
}

// Help is what "cleat import --help" teaches beyond the flags.
func (importCommand) Help() string {
	return `Makes a folder with template.yaml (or cleat.yaml) and NOTES.md, which says what else is to be done. Only reads what is
there: ten calls a second at most, as AWS allows. Functions stay where they are: integrations name them by ARN, and
remoteFunctions in the node's cleat.yaml says where they run.

  cleat import --from-aws                          which APIs there are
  cleat import --from-aws a1b2c3d4e5               into a folder
  cleat import --from-aws a1b2c3d4e5 --apply       and to a node`
}

// Run imports one API.
func (c *importCommand) Run(p *process) error {
	if !c.FromAWS && c.Endpoint == "" {
		return errors.New("where from? Name AWS with --from-aws, or another control plane with --endpoint URL")
	}
	sources := awsclient.Sources{Env: p.env, Profile: c.Profile, Machine: c.FromAWS}
	region := cmp.Or(c.Region, sources.Region(p.ctx), awsapi.DefaultRegion)
	if !awsapi.IsRegion(region) {
		return fmt.Errorf("--region %q: want a region such as eu-west-1", region)
	}
	client, err := awsclient.New(awsclient.Options{Endpoint: c.Endpoint, Service: "apigateway", Region: region, Credentials: sources.Credentials(), Rate: c.rate()})
	if err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	defer client.Close()
	x := &exporting{exportFlags: &c.exportFlags, p: p, client: client}
	api, err := x.read()
	if err != nil || api == nil {
		return err
	}
	text, template, err := x.write(api, region, false)
	if err != nil {
		return err
	}
	dir := cmp.Or(c.Output, stacks.Name(api.API.Name))
	if err := c.writeFolder(x, dir, text, api); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(p.stderr, "%s: %s of API %s (%s); NOTES.md says what else is to be done\n", dir, c.file(), terminal.Printable(api.API.Name), api.API.APIID)
	if !c.Apply {
		return nil
	}
	return c.apply(p, api, template, region)
}

// rate is how fast AWS is asked; nobody else minds.
func (c *importCommand) rate() float64 {
	if c.FromAWS {
		return export.Rate
	}
	return 0
}

func (c *importCommand) file() string {
	if c.Format == "cleat" {
		return "cleat.yaml"
	}
	return "template.yaml"
}

// writeFolder writes the project.
func (c *importCommand) writeFolder(x *exporting, dir string, text []byte, api *export.API) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: a project's folder
		return fmt.Errorf("make the project's folder: %w", err)
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{c.file(), text}, {"NOTES.md", c.notes(api)}} {
		path := filepath.Join(dir, f.name)
		if _, err := os.Lstat(path); !c.Force && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: name another folder with --output, or overwrite it with --force", path)
		}
		if err := os.WriteFile(path, f.text, x.mode()); err != nil {
			return err
		}
	}
	return nil
}

// notes is the text of NOTES.md.
func (c *importCommand) notes(api *export.API) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nRead from API %s. `%s` is what there was to be read.\n\n", api.API.Name, api.API.APIID, c.file())
	for _, n := range api.Notes() {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	if functions := api.Functions(); len(functions) > 0 {
		b.WriteString("\nFor the node's cleat.yaml, while the functions stay in AWS:\n\n```yaml\nremoteFunctions:\n")
		for _, arn := range functions {
			name, region := arn, ""
			if parsed, err := awsapi.ParseFunctionName(arn); err == nil {
				name, region = parsed.Name, parsed.Region
			}
			fmt.Fprintf(&b, "  %s: { endpoint: aws, region: %s }\n", name, cmp.Or(region, awsapi.DefaultRegion))
		}
		b.WriteString("```\n")
	}
	b.WriteString("\nThen: `cleat apply` in this folder, and point clients to the address that it prints.\n")
	return []byte(b.String())
}

// apply sends the template to a node.
func (c *importCommand) apply(p *process, api *export.API, template *cfn.Value, region string) error {
	target := remoteFlags{Endpoint: c.To, Profile: c.ToProfile}
	node, err := target.open(p, stackapi.ServiceName)
	if err != nil {
		return err
	}
	defer node.client.Close()
	a := &applying{applyCommand: &applyCommand{Yes: c.Yes, Output: "text"}, p: p, node: node, style: styleFor(p.stdout, p.env)}
	return a.apply(stacks.Name(cmp.Or(c.Name, api.API.Name)), &project.Project{Template: template, Region: region})
}

func indentJSON(out *bytes.Buffer, text []byte) error {
	if err := json.Indent(out, text, "", "  "); err != nil {
		return err
	}
	return out.WriteByte('\n')
}
