package lambdaapi

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/control/functions"
	"cleat/internal/controlapi"
)

// permission is what AddPermission asks for.
type permission struct {
	StatementID           string `json:"StatementId"`
	Action                string
	Principal             string
	SourceArn             string
	SourceAccount         string
	EventSourceToken      string
	PrincipalOrgID        string
	FunctionURLAuthType   string `json:"FunctionUrlAuthType"`
	InvokedViaFunctionURL *bool  `json:"InvokedViaFunctionUrl"`
	RevisionID            string `json:"RevisionId"`
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// statement is the permission as Lambda writes it into the function's policy.
func (p *permission) statement(resource, partition string) apigw.FunctionStatement {
	st := apigw.FunctionStatement{Sid: p.StatementID, Effect: "Allow", Action: p.Action, Resource: resource, Principal: p.Principal}
	switch {
	case p.Principal == "*":
	case accountID.MatchString(p.Principal):
		st.Principal = map[string]string{"AWS": "arn:" + partition + ":iam::" + p.Principal + ":root"}
	case strings.HasPrefix(p.Principal, "arn:"):
		st.Principal = map[string]string{"AWS": p.Principal}
	default:
		st.Principal = map[string]string{"Service": p.Principal}
	}
	condition := func(operator, key, value string) {
		if value == "" {
			return
		}
		if st.Condition == nil {
			st.Condition = map[string]map[string]string{}
		}
		if st.Condition[operator] == nil {
			st.Condition[operator] = map[string]string{}
		}
		st.Condition[operator][key] = value
	}
	condition("ArnLike", "AWS:SourceArn", p.SourceArn)
	condition("StringEquals", "AWS:SourceAccount", p.SourceAccount)
	condition("StringEquals", "lambda:EventSourceToken", p.EventSourceToken)
	condition("StringEquals", "aws:PrincipalOrgID", p.PrincipalOrgID)
	condition("StringEquals", "lambda:FunctionUrlAuthType", p.FunctionURLAuthType)
	if p.InvokedViaFunctionURL != nil {
		condition("Bool", "lambda:InvokedViaFunctionUrl", strconv.FormatBool(*p.InvokedViaFunctionURL))
	}
	return st
}

func (s *service) addPermission(c *controlapi.Call) (controlapi.Answer, error) {
	var in permission
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.target(c, c.Path("FunctionName"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	if in.Principal == "" {
		return controlapi.Answer{}, invalid("Principal is required")
	}
	st := in.statement(at.qualified(), c.Partition)
	if err := s.Functions.AddPermission(c.Context, at.name, at.arn, at.qualifier, in.RevisionID, st); err != nil {
		return controlapi.Answer{}, err
	}
	text, err := json.Marshal(st)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.Created(map[string]string{"Statement": string(text)}), nil
}

func (s *service) getPolicy(c *controlapi.Call) (controlapi.Answer, error) {
	at, t, err := s.tree(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	p, err := functions.Policy(t, at.qualifier)
	if err != nil {
		return controlapi.Answer{}, err
	}
	text, err := json.Marshal(struct {
		Version   string
		ID        string `json:"Id"`
		Statement []apigw.FunctionStatement
	}{"2012-10-17", "default", p.Statements})
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(map[string]string{"Policy": string(text), "RevisionId": functions.Revision(p)}), nil
}

func (s *service) removePermission(c *controlapi.Call) (controlapi.Answer, error) {
	at, err := s.target(c, c.Path("FunctionName"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.NoContent(), s.Functions.RemovePermission(c.Context, at.name, at.arn, at.qualifier, c.Query("RevisionId"), c.Path("StatementId"))
}
