package apigateway

import (
	"strconv"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
)

// The states of a VPC link. On AWS it takes minutes to make one; here one is there at once, but who waits for it to
// become AVAILABLE, as Terraform does, wants to have seen it PENDING.
const (
	linkPending   = "PENDING"
	linkAvailable = "AVAILABLE"
)

// leadsNowhere is what a link says of itself that this node has no targets for. Its status is AVAILABLE all the same: what
// waits for that would wait for ever, and the targets may well be configured after the link.
func (s *service) leadsNowhere(l *apigw.VPCLink) string {
	if s.LinkLeads(l) {
		return ""
	}
	return "This link leads nowhere here: name its targets in the node's cleat.yaml, under vpcLinks, by its ID " + l.ID + " or its name " + strconv.Quote(l.Name)
}

// vpcLink is a link of REST and WebSocket APIs.
type vpcLink struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Description   string            `json:"description,omitempty"`
	TargetARNs    []string          `json:"targetArns"`
	Status        string            `json:"status"`
	StatusMessage string            `json:"statusMessage,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
}

// vpcLinkV2 is a link of HTTP APIs.
type vpcLinkV2 struct {
	VPCLinkID            string            `json:"vpcLinkId"`
	Name                 string            `json:"name"`
	CreatedDate          string            `json:"createdDate"`
	SubnetIDs            []string          `json:"subnetIds"`
	SecurityGroupIDs     []string          `json:"securityGroupIds"`
	VPCLinkStatus        string            `json:"vpcLinkStatus"`
	VPCLinkStatusMessage string            `json:"vpcLinkStatusMessage"`
	VPCLinkVersion       string            `json:"vpcLinkVersion"`
	Tags                 map[string]string `json:"tags,omitempty"`
}

func linkID(l *apigw.VPCLink) string { return l.ID }

func (s *service) wireLink(l *apigw.VPCLink) vpcLink {
	return vpcLink{
		ID: l.ID, Name: l.Name, Description: l.Description, TargetARNs: l.TargetARNs, Status: linkAvailable, StatusMessage: s.leadsNowhere(l), Tags: l.Tags,
	}
}

func (s *service) wireLinkV2(l *apigw.VPCLink) vpcLinkV2 {
	out := vpcLinkV2{
		VPCLinkID: l.ID, Name: l.Name, CreatedDate: l.CreatedDate.UTC().Format(time.RFC3339), SubnetIDs: l.SubnetIDs,
		SecurityGroupIDs: append([]string{}, l.SecurityGroupIDs...), VPCLinkStatus: linkAvailable,
		VPCLinkStatusMessage: s.leadsNowhere(l), VPCLinkVersion: string(apigw.LinkV2), Tags: l.Tags,
	}
	if out.VPCLinkStatusMessage == "" {
		out.VPCLinkStatusMessage = "VPC link is ready to route traffic"
	}
	return out
}

func (s *service) createLink(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		Name        string            `json:"name"`
		Description string            `json:"description"`
		TargetARNs  []string          `json:"targetArns"`
		Tags        map[string]string `json:"tags"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	l, err := s.Control.CreateVPCLink(c.Context, apigw.VPCLink{
		Version: apigw.LinkV1, Name: in.Name, Description: in.Description, TargetARNs: in.TargetARNs, Tags: in.Tags,
	})
	if err != nil {
		return controlapi.Answer{}, err
	}
	w := s.wireLink(&l)
	w.Status = linkPending
	a := accepted()
	a.Body, a.Made = w, arnOf(c, "/vpclinks/"+l.ID)
	return a, nil
}

func (s *service) getLinks(c *controlapi.Call) (controlapi.Answer, error) {
	all, err := s.Control.VPCLinks(c.Context, apigw.LinkV1)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return list(c, all, linkID, s.wireLink)
}

func (s *service) getLink(c *controlapi.Call) (controlapi.Answer, error) {
	l, err := s.Control.VPCLink(c.Context, apigw.LinkV1, c.Path("vpcLinkId"))
	return answer(controlapi.OK(s.wireLink(&l)), err)
}

func (s *service) updateLink(c *controlapi.Call) (controlapi.Answer, error) {
	ops, err := patches(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	l, err := s.Control.PatchVPCLink(c.Context, c.Path("vpcLinkId"), ops)
	return answer(controlapi.OK(s.wireLink(&l)), err)
}

func (s *service) deleteLink(c *controlapi.Call) (controlapi.Answer, error) {
	return answer(accepted(), s.Control.DeleteVPCLink(c.Context, apigw.LinkV1, c.Path("vpcLinkId")))
}

func (s *service) createLinkV2(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		Name             string            `json:"name"`
		SubnetIDs        []string          `json:"subnetIds"`
		SecurityGroupIDs []string          `json:"securityGroupIds"`
		Tags             map[string]string `json:"tags"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	l, err := s.Control.CreateVPCLink(c.Context, apigw.VPCLink{
		Version: apigw.LinkV2, Name: in.Name, SubnetIDs: in.SubnetIDs, SecurityGroupIDs: in.SecurityGroupIDs, Tags: in.Tags,
	})
	if err != nil {
		return controlapi.Answer{}, err
	}
	w := s.wireLinkV2(&l)
	w.VPCLinkStatus = linkPending
	a := controlapi.Created(w)
	a.Made = arnOf(c, "/vpclinks/"+l.ID)
	return a, nil
}

func (s *service) getLinksV2(c *controlapi.Call) (controlapi.Answer, error) {
	all, err := s.Control.VPCLinks(c.Context, apigw.LinkV2)
	if err != nil {
		return controlapi.Answer{}, err
	}
	// There are never more than fit on one page.
	out := struct {
		Items []vpcLinkV2 `json:"items"`
	}{[]vpcLinkV2{}}
	for i := range all {
		out.Items = append(out.Items, s.wireLinkV2(&all[i]))
	}
	return controlapi.OK(out), nil
}

func (s *service) getLinkV2(c *controlapi.Call) (controlapi.Answer, error) {
	l, err := s.Control.VPCLink(c.Context, apigw.LinkV2, c.Path("vpcLinkId"))
	return answer(controlapi.OK(s.wireLinkV2(&l)), err)
}

func (s *service) updateLinkV2(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		Name *string `json:"name"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	l, err := s.Control.RenameVPCLink(c.Context, c.Path("vpcLinkId"), in.Name)
	return answer(controlapi.OK(s.wireLinkV2(&l)), err)
}

func (s *service) deleteLinkV2(c *controlapi.Call) (controlapi.Answer, error) {
	a := accepted()
	a.Body = struct{}{}
	return answer(a, s.Control.DeleteVPCLink(c.Context, apigw.LinkV2, c.Path("vpcLinkId")))
}
