package authorizer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
	"cleat/internal/iampolicy"
)

// The service in the scope of signatures for APIs (spec events-and-integrations §4), and the action on @connections.
const (
	serviceExecuteAPI       = "execute-api"
	manageConnectionsAction = "execute-api:ManageConnections"
)

// IAMOptions say whose signatures count.
type IAMOptions struct {
	Region  string // that signatures must be scoped to; empty means awsapi.DefaultRegion
	Account string // that the APIs belong to; empty means awsapi.DefaultAccount
	// Users are those who may sign. Nil: anybody may; a signature must be there, well-formed and of the hour, but nobody's key
	// and nobody's policy is looked at, and any region will do.
	Users *credentials.Set
	// Management tells that @connections asks for a signature, as on AWS. Otherwise whoever reaches it may use it.
	Management bool
	// Failures slow down who guesses. Nil: nobody is slowed down.
	Failures *Failures
	// Used hears of each request that was rightly signed with an access key. Nil: nobody does.
	Used func(accessKeyID, service, region string, at time.Time)
}

// IAM verifies signatures and evaluates the policies of those who made them. It is safe for concurrent use; for other
// options make another.
type IAM struct {
	o     IAMOptions
	sigv4 awsapi.SigV4
}

// NewIAM returns an IAM.
func NewIAM(o IAMOptions) *IAM {
	if o.Region == "" {
		o.Region = awsapi.DefaultRegion
	}
	if o.Account == "" {
		o.Account = awsapi.DefaultAccount
	}
	return &IAM{o: o}
}

// anybody stands for every signer where no users are known.
func (i *IAM) anybody() *credentials.User {
	return &credentials.User{Name: "anybody", Account: i.o.Account, ID: "AIDAANYBODYANYBODYANY", ARN: "arn:" + awsapi.Partition(i.o.Region) + ":iam::" + i.o.Account + ":user/anybody"}
}

// authenticate finds out who signed a request for a service, and puts what the request claims into claim. Its errors are
// those of awsapi's verification, of credentials.Set.Lookup and of Failures.Admit.
func (i *IAM) authenticate(r *awsapi.SignedRequest, o *iampolicy.Origin, service string, claim *awsapi.Signature) (*credentials.User, error) {
	if err := claim.Read(r); err != nil {
		return nil, err
	}
	region := i.o.Region
	if i.o.Users == nil || global(service) {
		region = ""
	}
	if err := claim.Check(region, service, o.Time); err != nil {
		return nil, err
	}
	if i.o.Users == nil {
		return i.anybody(), nil
	}
	if err := i.o.Failures.Admit(o.SourceIP, claim.AccessKeyID, o.Time); err != nil {
		return nil, err
	}
	user, key, err := i.o.Users.Lookup(claim.AccessKeyID, claim.SessionToken, o.Time)
	if err != nil {
		i.o.Failures.Failed(o.SourceIP, claim.AccessKeyID, i.o.Users.Has(claim.AccessKeyID), o.Time)
		return nil, err
	}
	if err := i.sigv4.Verify(r, claim, key.SecretAccessKey); err != nil {
		if apigw.KindOf(err) == apigw.KindInvalidSignature { // and not the reading of the body
			i.o.Failures.Failed(o.SourceIP, claim.AccessKeyID, true, o.Time)
		}
		return nil, err
	}
	i.succeeded(claim.AccessKeyID, service, o)
	return user, nil
}

func (i *IAM) succeeded(accessKeyID, service string, o *iampolicy.Origin) {
	i.o.Failures.Succeeded(o.SourceIP, accessKeyID, o.Time)
	if i.o.Used != nil {
		i.o.Used(accessKeyID, service, i.o.Region, o.Time)
	}
}

// global tells of services that have no region: each SDK signs for them with one of its own choice.
func global(service string) bool { return service == "iam" || service == "sts" }

// allowed evaluates the policies of a user; the error, of kind KindAccessDenied, says to the log what decided.
func (i *IAM) allowed(user *credentials.User, o iampolicy.Origin, action string, resources ...string) error {
	if i.o.Users == nil {
		return nil
	}
	result := i.evaluate(user, o, action, resources...)
	if result.Decision == iampolicy.Allow {
		return nil
	}
	return &apigw.Error{Kind: apigw.KindAccessDenied, Err: fmt.Errorf("%s may not %s on %s: %v", user.ARN, action, resources[0], result)}
}

// evaluate is what the policies of a user say.
func (i *IAM) evaluate(user *credentials.User, o iampolicy.Origin, action string, resources ...string) iampolicy.Result {
	r := iampolicy.Request{Action: action, Resources: resources}
	if slices.ContainsFunc(user.Policies, (*iampolicy.Policy).UsesContext) {
		r.Context = iampolicy.NewContext(o)
		r.Context.SetPrincipal(iampolicy.Principal{Name: user.Name, ID: user.ID, ARN: user.ARN, Account: user.Account, Type: "User"})
	}
	return iampolicy.Evaluate(user.Policies, &r)
}

// Connect decides whether a client may connect to a stage whose $connect route has AWS_IAM authorization, and returns what
// events show of it from then on. What was done is noted in rec. The error is an *apigw.Error of the kinds of signatures, or
// KindAccessDenied.
func (i *IAM) Connect(r *awsapi.SignedRequest, o iampolicy.Origin, api apigw.APIID, stage string, rec *apigw.Record) (apigw.Identity, error) {
	o.Region = i.o.Region
	var claim awsapi.Signature
	user, err := i.authenticate(r, &o, serviceExecuteAPI, &claim)
	rec.Authenticate = stepOf(err)
	if err != nil {
		return apigw.Identity{}, err
	}
	if user.Account == i.o.Account {
		err = i.allowed(user, o, awsapi.InvokeAction, awsapi.ExecuteAPIARN(i.o.Region, i.o.Account, api, stage, apigw.RouteConnect))
	} else {
		// WebSocket APIs have no resource policy that could let other accounts in (spec events-and-integrations §4).
		err = &apigw.Error{Kind: apigw.KindAccessDenied, Err: foreign(user, i.o.Account)}
	}
	rec.Authorize = stepOf(err)
	if err != nil {
		return apigw.Identity{}, err
	}
	return apigw.Identity{
		AccountID: user.Account, AccessKey: claim.AccessKeyID, Caller: user.ID, User: user.ID, UserARN: user.ARN,
	}, nil
}

func foreign(user *credentials.User, account string) error {
	return fmt.Errorf("%s is of another account than the API's, %s", user.ARN, account)
}

func stepOf(err error) apigw.Step {
	if err != nil {
		return apigw.Step{Taken: true, Status: awsapi.Status(err), Error: awsapi.Reason(err)}
	}
	return apigw.Step{Taken: true, Status: http.StatusOK}
}

// Management is a call of @connections.
type Management struct {
	// API and Stage are those of the connection, or those addressed. Empty: the address left them open, and the connection is
	// not there, or all stages are meant.
	API          apigw.APIID
	Stage        string
	Method       string
	ConnectionID apigw.ConnectionID // empty for the list
	// Stages are those that a list is of, where API or Stage are left open: each must be allowed by itself, so that a policy
	// which denies one of them denies the list that it would be in.
	Stages []Stage
}

// Stage is a stage of an API.
type Stage struct {
	API  apigw.APIID
	Name string
}

// everyStage stands in a resource for an API or stage that was left open. It is no wildcard there: only a pattern that
// fits any API, or any stage, fits it.
const everyStage = "*"

// GuardsManagement tells whether @connections asks for signatures at all: where not, there is no need to call Manage.
func (i *IAM) GuardsManagement() bool { return i.o.Management }

// Manage decides whether a call of @connections may go on (spec management-api §2). Where management is open it always may.
// The error is an *apigw.Error of the kinds of signatures, KindForbidden for users of another account, or KindAccessDenied
// with AWS's text.
func (i *IAM) Manage(r *awsapi.SignedRequest, o iampolicy.Origin, m Management) error {
	if !i.o.Management {
		return nil
	}
	o.Region = i.o.Region
	var claim awsapi.Signature
	user, err := i.authenticate(r, &o, serviceExecuteAPI, &claim)
	switch {
	case err != nil:
		return err
	case user.Account != i.o.Account:
		return &apigw.Error{Kind: apigw.KindForbidden, Err: foreign(user, i.o.Account)}
	case m.ConnectionID != "" && (m.API == "" || m.Stage == ""):
		return nil // there is no such connection: the answer is 410, and no policy could name it
	}
	if m.API == "" {
		m.API = everyStage
	}
	if m.Stage == "" {
		m.Stage = everyStage
	}
	err = i.manages(user, o, &m, Stage{m.API, m.Stage})
	for _, stage := range m.Stages {
		if err == nil {
			err = i.manages(user, o, &m, stage)
		}
	}
	if e, ok := errors.AsType[*apigw.Error](err); ok {
		e.Message = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", user.ARN, manageConnectionsAction,
			awsapi.ExecuteAPIARN(i.o.Region, masked(i.o.Account), m.API, m.Stage, m.shownName()))
	}
	return err
}

// manages evaluates the policies of a user for a call on one stage.
func (i *IAM) manages(user *credentials.User, o iampolicy.Origin, m *Management, stage Stage) error {
	q, _ := questions.Get().(*question)
	defer func() {
		q.names = [2]string{}
		questions.Put(q)
	}()
	// The names are parts of one string: to ask costs one allocation.
	q.text = awsapi.AppendExecuteAPIARN(q.text[:0], i.o.Region, i.o.Account, stage.API, stage.Name, m.Method)
	q.text = append(q.text, connectionsPath...)
	prefix := len(q.text)
	if m.ConnectionID == "" {
		q.names[0] = string(q.text)
		return i.allowed(user, o, manageConnectionsAction, q.names[:1]...)
	}
	q.text = append(append(q.text, '/'), m.ConnectionID...)
	first := len(q.text)
	q.text = append(append(append(q.text, q.text[:prefix]...), '/'), anyConnection...)
	all := string(q.text)
	q.names[0], q.names[1] = all[:first], all[first:]
	return i.allowed(user, o, manageConnectionsAction, q.names[:]...)
}

// question is memory in which the names of a resource are made. Nobody keeps the slice of them, which is used again; the
// strings may be kept.
type question struct {
	text  []byte
	names [2]string
}

var questions = sync.Pool{New: func() any { return &question{} }}

// A resource of the management API has two names below its stage: POST/@connections/ with the connection's ID, and with the
// literal {connectionId} that AWS's denials show (spec open-questions 41). The list, which AWS has not, has one of its own.
const (
	connectionsPath = "/@connections"
	anyConnection   = "{connectionId}"
)

// shownName is the name that denials show.
func (m *Management) shownName() string {
	if m.ConnectionID == "" {
		return m.Method + connectionsPath
	}
	return m.Method + connectionsPath + "/" + anyConnection
}

// masked is an account as AWS's denials show it (spec management-api §4).
func masked(account string) string {
	return "********" + account[max(0, len(account)-4):]
}
