package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"cleat/internal/access"
	"cleat/internal/awsapi"
	"cleat/internal/awsclient"
	"cleat/internal/identity"
	"cleat/internal/terminal"
)

// credentialsCommand is who may call a node, through its IAM API (docs/credentials.md).
type credentialsCommand struct {
	Endpoint string `default:"http://127.0.0.1:3002" help:"Control plane of the node (${default})." placeholder:"URL"`
	Profile  string `help:"Profile of the shared AWS configuration that has the access key (the environment's)." placeholder:"NAME"`

	Users      credentialsUsers  `cmd:"" help:"List, add and remove users."`
	Keys       credentialsKeys   `cmd:"" help:"List, add, disable, enable and remove access keys."`
	Policy     credentialsPolicy `cmd:"" help:"List, show, put and remove the policies of a user."`
	Rotate     credentialsRotate `cmd:"" help:"Give a user a new access key; the old one works on until you disable it."`
	ResetAdmin resetAdmin        `cmd:"" name:"reset-admin" help:"Give the user admin of a node that is not running a new access key: the way back in."`
}

// Help is what "cleat credentials --help" teaches beyond the flags.
func (credentialsCommand) Help() string {
	return `All but reset-admin ask a running node, signed with the access key that the AWS CLI would use. Ready-made policies are ` +
		strings.Join(slices.Sorted(maps.Keys(identity.ReadyMade)), ", ") + `.`
}

// iam makes one call of the node's IAM API and reads the answer into out, a pointer to what its Response element is to
// become; nil throws it away.
func (c *credentialsCommand) iam(p *process, action string, form url.Values, out any) error {
	if form == nil {
		form = url.Values{}
	}
	form.Set("Action", action)
	form.Set("Version", "2010-05-08")
	sources := awsclient.Sources{Env: p.env, Profile: c.Profile}
	client, err := awsclient.New(awsclient.Options{Endpoint: c.Endpoint, Service: "iam", Credentials: sources.Credentials()})
	if err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	defer client.Close()
	got, err := client.Do(p.ctx, awsclient.Request{
		Method: http.MethodPost, Path: "/", Body: []byte(form.Encode()), Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	})
	if err != nil {
		return inPlainWords(err)
	}
	if out == nil {
		return nil
	}
	if err := xml.Unmarshal(got.Body, out); err != nil {
		return fmt.Errorf("%s did not answer as IAM does: %w", c.Endpoint, err)
	}
	return nil
}

func user(name string) url.Values { return url.Values{"UserName": {name}} }

type credentialsUsers struct {
	Ls  usersLs  `cmd:"" help:"List the users."`
	Add usersAdd `cmd:"" help:"Add a user, with a policy and an access key."`
	Rm  usersRm  `cmd:"" help:"Remove a user."`
}

type iamUser struct {
	UserName, Arn string
	CreateDate    time.Time
}

func (c *credentialsCommand) users(p *process) ([]iamUser, error) {
	var all []iamUser
	form := url.Values{}
	for {
		var out struct {
			Users  []iamUser `xml:"ListUsersResult>Users>member"`
			Marker string    `xml:"ListUsersResult>Marker"`
		}
		if err := c.iam(p, "ListUsers", form, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Users...)
		if out.Marker == "" {
			return all, nil
		}
		form.Set("Marker", out.Marker)
	}
}

func (c *credentialsCommand) policies(p *process, name string) ([]string, error) {
	var all []string
	form := user(name)
	for {
		var out struct {
			Names  []string `xml:"ListUserPoliciesResult>PolicyNames>member"`
			Marker string   `xml:"ListUserPoliciesResult>Marker"`
		}
		if err := c.iam(p, "ListUserPolicies", form, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Names...)
		if out.Marker == "" {
			return all, nil
		}
		form.Set("Marker", out.Marker)
	}
}

type usersLs struct{}

// Run lists the users with their policies.
func (*usersLs) Run(p *process, c *credentialsCommand) error {
	all, err := c.users(p)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "USER\tCREATED\tKEYS\tPOLICIES") // Flush tells
	for _, u := range all {
		keys, err := c.keys(p, u.UserName)
		if err != nil {
			return err
		}
		names, err := c.policies(p, u.UserName)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", terminal.Printable(u.UserName), u.CreateDate.Format(time.DateOnly), len(keys), terminal.Printable(cmp.Or(strings.Join(names, ", "), "-"))) // as above
	}
	return table.Flush()
}

type usersAdd struct {
	Name   string `arg:"" help:"The user's name."`
	Policy string `help:"What the user may do: a ready-made policy, or a file with a document. None: nothing, until you put one." placeholder:"NAME|FILE"`
	NoKey  bool   `help:"Give no access key yet."`
}

// Run adds a user. The policy comes before the key, and is looked at before anything is done.
func (a *usersAdd) Run(p *process, c *credentialsCommand) error {
	var name, document string
	if a.Policy != "" {
		var err error
		if name, document, err = policyOf(a.Policy); err != nil {
			return err
		}
	}
	if err := c.iam(p, "CreateUser", user(a.Name), nil); err != nil {
		return err
	}
	if document != "" {
		if err := c.putPolicy(p, a.Name, name, document); err != nil {
			return fmt.Errorf("the user %s is there, without a policy: %w", a.Name, err)
		}
	}
	if a.NoKey {
		return nil
	}
	return c.addKey(p, a.Name)
}

type usersRm struct {
	Name  string `arg:"" help:"The user's name."`
	Force bool   `help:"Remove their access keys and policies too."`
}

// Run removes a user.
func (r *usersRm) Run(p *process, c *credentialsCommand) error {
	if r.Force {
		keys, err := c.keys(p, r.Name)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := c.iam(p, "DeleteAccessKey", url.Values{"UserName": {r.Name}, "AccessKeyId": {k.AccessKeyID}}, nil); err != nil {
				return err
			}
		}
		names, err := c.policies(p, r.Name)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := c.iam(p, "DeleteUserPolicy", url.Values{"UserName": {r.Name}, "PolicyName": {name}}, nil); err != nil {
				return err
			}
		}
	}
	return c.iam(p, "DeleteUser", user(r.Name), nil)
}

type credentialsKeys struct {
	Ls      keysLs      `cmd:"" help:"List access keys, of one user or of all."`
	Add     keysAdd     `cmd:"" help:"Give a user a further access key."`
	Disable keysDisable `cmd:"" help:"Disable an access key: nobody can sign with it any more."`
	Enable  keysEnable  `cmd:"" help:"Enable an access key again."`
	Rm      keysRm      `cmd:"" help:"Remove an access key for good."`
}

type iamKey struct {
	UserName    string
	AccessKeyID string `xml:"AccessKeyId"`
	Status      string
	CreateDate  time.Time
}

func (c *credentialsCommand) keys(p *process, name string) ([]iamKey, error) {
	var out struct {
		Keys []iamKey `xml:"ListAccessKeysResult>AccessKeyMetadata>member"`
	}
	err := c.iam(p, "ListAccessKeys", user(name), &out)
	return out.Keys, err
}

type keyUse struct {
	UserName string `xml:"GetAccessKeyLastUsedResult>UserName"`
	Date     string `xml:"GetAccessKeyLastUsedResult>AccessKeyLastUsed>LastUsedDate"`
	Service  string `xml:"GetAccessKeyLastUsedResult>AccessKeyLastUsed>ServiceName"`
}

func (c *credentialsCommand) lastUse(p *process, id string) (keyUse, error) {
	var out keyUse
	err := c.iam(p, "GetAccessKeyLastUsed", url.Values{"AccessKeyId": {id}}, &out)
	return out, err
}

type keysLs struct {
	User string `arg:"" optional:"" help:"The user's name; without it, all users."`
}

// Run lists access keys.
func (l *keysLs) Run(p *process, c *credentialsCommand) error {
	names := []string{l.User}
	if l.User == "" {
		all, err := c.users(p)
		if err != nil {
			return err
		}
		names = names[:0]
		for _, u := range all {
			names = append(names, u.UserName)
		}
	}
	table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ACCESS KEY\tUSER\tSTATUS\tCREATED\tLAST USED") // Flush tells
	for _, name := range names {
		keys, err := c.keys(p, name)
		if err != nil {
			return err
		}
		for _, k := range keys {
			use, err := c.lastUse(p, k.AccessKeyID)
			if err != nil {
				return err
			}
			last := "-"
			if use.Date != "" {
				last = use.Date + " " + use.Service
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", terminal.Printable(k.AccessKeyID), terminal.Printable(k.UserName), terminal.Printable(k.Status), k.CreateDate.Format(time.DateOnly), terminal.Printable(last)) // as above
		}
	}
	return table.Flush()
}

// addKey gives a user a key and shows it.
func (c *credentialsCommand) addKey(p *process, name string) error {
	var out struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := c.iam(p, "CreateAccessKey", user(name), &out); err != nil {
		return err
	}
	_, err := fmt.Fprint(p.stdout, keyText(name, awsapi.Credentials{AccessKeyID: out.ID, SecretAccessKey: out.Secret}))
	return err
}

// keyText shows a new access key to a person, and how to use it.
func keyText(name string, c awsapi.Credentials) string {
	return fmt.Sprintf(`Access key of user %[1]s. Its secret is shown this once and kept nowhere in the open:

  access key ID      %[2]s
  secret access key  %[3]s

To use it in this shell:

  export AWS_ACCESS_KEY_ID=%[2]s AWS_SECRET_ACCESS_KEY=%[3]s

or in a profile of the AWS CLI:

  aws configure set --profile cleat aws_access_key_id %[2]s
  aws configure set --profile cleat aws_secret_access_key %[3]s
`, name, c.AccessKeyID, c.SecretAccessKey)
}

type keysAdd struct {
	User string `arg:"" help:"The user's name."`
}

// Run gives a user a further key.
func (a *keysAdd) Run(p *process, c *credentialsCommand) error { return c.addKey(p, a.User) }

// setStatus enables or disables a key, whoever's it is.
func (c *credentialsCommand) setStatus(p *process, id, status string) error {
	use, err := c.lastUse(p, id)
	if err != nil {
		return err
	}
	return c.iam(p, "UpdateAccessKey", url.Values{"UserName": {use.UserName}, "AccessKeyId": {id}, "Status": {status}}, nil)
}

type keysDisable struct {
	ID string `arg:"" help:"The access key's ID."`
}

// Run disables a key.
func (d *keysDisable) Run(p *process, c *credentialsCommand) error {
	return c.setStatus(p, d.ID, identity.StatusInactive)
}

type keysEnable struct {
	ID string `arg:"" help:"The access key's ID."`
}

// Run enables a key.
func (e *keysEnable) Run(p *process, c *credentialsCommand) error {
	return c.setStatus(p, e.ID, identity.StatusActive)
}

type keysRm struct {
	ID string `arg:"" help:"The access key's ID."`
}

// Run removes a key.
func (r *keysRm) Run(p *process, c *credentialsCommand) error {
	use, err := c.lastUse(p, r.ID)
	if err != nil {
		return err
	}
	return c.iam(p, "DeleteAccessKey", url.Values{"UserName": {use.UserName}, "AccessKeyId": {r.ID}}, nil)
}

type credentialsRotate struct {
	User string `arg:"" help:"The user's name."`
}

// Run gives a user a new key, and says what is left to do with the old one.
func (r *credentialsRotate) Run(p *process, c *credentialsCommand) error {
	before, err := c.keys(p, r.User)
	if err != nil {
		return err
	}
	if len(before) > 1 {
		return fmt.Errorf("user %s has two access keys already, %s and %s: finish the rotation before with \"cleat credentials keys rm\" on the older one", r.User, before[0].AccessKeyID, before[1].AccessKeyID)
	}
	if err := c.addKey(p, r.User); err != nil {
		return err
	}
	for _, k := range before {
		_, err = fmt.Fprintf(p.stdout, `
The old key %[1]s works on. Once everybody has the new one:

  cleat credentials keys ls %[2]s          # when was the old one last used?
  cleat credentials keys disable %[1]s
  cleat credentials keys rm %[1]s
`, k.AccessKeyID, r.User)
	}
	return err
}

type credentialsPolicy struct {
	Ls  policyLs  `cmd:"" help:"List the names of a user's policies."`
	Get policyGet `cmd:"" help:"Show a policy."`
	Put policyPut `cmd:"" help:"Put a policy: a ready-made one, or a document from a file."`
	Rm  policyRm  `cmd:"" help:"Remove a policy."`
}

// policyOf is a ready-made policy, or the document in a file, with its name.
func policyOf(source string) (name, document string, err error) {
	if ready, ok := identity.ReadyMade[source]; ok {
		return source, ready, nil
	}
	text, err := os.ReadFile(source) //nolint:gosec // G304: the file that the user names
	if err != nil {
		return "", "", fmt.Errorf("%q is no ready-made policy (%s), and no file that could be read: %w", source, strings.Join(slices.Sorted(maps.Keys(identity.ReadyMade)), ", "), err)
	}
	base := source[strings.LastIndexAny(source, `/\`)+1:]
	return strings.TrimSuffix(base, ".json"), string(text), nil
}

func (c *credentialsCommand) putPolicy(p *process, name, policy, document string) error {
	return c.iam(p, "PutUserPolicy", url.Values{"UserName": {name}, "PolicyName": {policy}, "PolicyDocument": {document}}, nil)
}

type policyLs struct {
	User string `arg:"" help:"The user's name."`
}

// Run lists the names of policies.
func (l *policyLs) Run(p *process, c *credentialsCommand) error {
	names, err := c.policies(p, l.User)
	for _, name := range names {
		if _, err := fmt.Fprintln(p.stdout, terminal.Printable(name)); err != nil {
			return err
		}
	}
	return err
}

type policyGet struct {
	User string `arg:"" help:"The user's name."`
	Name string `arg:"" help:"The policy's name."`
}

// Run shows a policy as it was put.
func (g *policyGet) Run(p *process, c *credentialsCommand) error {
	var out struct {
		Document string `xml:"GetUserPolicyResult>PolicyDocument"`
	}
	if err := c.iam(p, "GetUserPolicy", url.Values{"UserName": {g.User}, "PolicyName": {g.Name}}, &out); err != nil {
		return err
	}
	document, err := url.PathUnescape(out.Document)
	if err != nil {
		return fmt.Errorf("%s did not answer as IAM does: %w", c.Endpoint, err)
	}
	_, err = fmt.Fprintln(terminal.JSONWriter{To: p.stdout}, document)
	return err
}

type policyPut struct {
	User   string `arg:"" help:"The user's name."`
	Policy string `arg:"" help:"A ready-made policy's name, or a file with a document."`
	Name   string `help:"The policy's name; without it, that of the ready-made one or the file." placeholder:"NAME"`
}

// Run puts a policy.
func (u *policyPut) Run(p *process, c *credentialsCommand) error {
	name, document, err := policyOf(u.Policy)
	if err != nil {
		return err
	}
	return c.putPolicy(p, u.User, cmp.Or(u.Name, name), document)
}

type policyRm struct {
	User string `arg:"" help:"The user's name."`
	Name string `arg:"" help:"The policy's name."`
}

// Run removes a policy.
func (r *policyRm) Run(p *process, c *credentialsCommand) error {
	return c.iam(p, "DeleteUserPolicy", url.Values{"UserName": {r.User}, "PolicyName": {r.Name}}, nil)
}

// resetAdmin is the way back in for who has lost all keys.
type resetAdmin struct {
	Data        string `required:"" help:"Data directory of the node, which must not be running." placeholder:"DIR" type:"existingdir"`
	SealKeyFile string `help:"File with the sealing key, where it is not the data directory's." placeholder:"FILE" type:"existingfile"`
	DiscardKeys bool   `help:"Take the access keys of all users away first: for a sealing key that is lost."`
}

// Run makes the key and shows it.
func (r *resetAdmin) Run(p *process) error {
	o := accessOptions(p)
	o.SealKeyFile = cmp.Or(r.SealKeyFile, o.SealKeyFile)
	return access.ResetAdmin(p.ctx, access.ResetOptions{
		DataDir: r.Data, DiscardKeys: r.DiscardKeys, Access: o, Log: slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
}

// The variables that hold the sealing key, or name the file that it is in, so that it need not lie beside what it seals.
const (
	sealKeyVariable     = "CLEAT_SEAL_KEY"
	sealKeyFileVariable = "CLEAT_SEAL_KEY_FILE"
)

// accessOptions say how a node keeps who may call it; the administrator's first key is shown to who started the process.
func accessOptions(p *process) access.Options {
	return access.Options{
		SealKey: lookup(p.env, sealKeyVariable), SealKeyFile: lookup(p.env, sealKeyFileVariable),
		Std: map[string]io.Writer{"stdout": p.stdout, "stderr": p.stderr},
		ShowFirstKey: func(c awsapi.Credentials) error {
			_, err := fmt.Fprintln(p.stdout, keyText(identity.AdminName, c))
			return err
		},
	}
}

// withoutSealKey is an environment for functions, which have no business with the sealing key.
func withoutSealKey(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		return strings.HasPrefix(kv, sealKeyVariable+"=") || strings.HasPrefix(kv, sealKeyFileVariable+"=")
	})
}
