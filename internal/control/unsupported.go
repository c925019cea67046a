package control

import (
	"cleat/internal/apigw"
	"cleat/internal/vtl"
)

// This file is all that AWS takes and this version refuses. Each refusal is a problem of kind bad request whose text
// begins "not supported yet:". A definition that would be refused here must not be passed over in silence: it may be
// what keeps somebody out.

func (p *problems) notYet(field, format string, args ...any) {
	p.bad(field, "not supported yet: "+format, args...)
}

func unsupportedIntegration(in *apigw.Integration) problems {
	var p problems
	if in.ConnectionType == "VPC_LINK" {
		p.notYet("connectionType", "VPC links")
	}
	if in.IntegrationType == apigw.IntegrationAWS && !isLambdaURI(in.IntegrationURI) {
		p.notYet("integrationUri", "integrations with AWS services other than Lambda, such as %s", in.IntegrationURI)
	}
	switch in.IntegrationType {
	case apigw.IntegrationAWS, apigw.IntegrationHTTP, apigw.IntegrationMock:
		p.literalTemplates("requestTemplates", in.RequestTemplates)
	case apigw.IntegrationAWSProxy, apigw.IntegrationHTTPProxy: // proxies do not look at them
	}
	return p
}

func unsupportedIntegrationResponse(r *apigw.IntegrationResponse) problems {
	var p problems
	p.literalTemplates("responseTemplates", r.ResponseTemplates)
	return p
}

// literalTemplates refuses templates that are more than literal text.
func (p *problems) literalTemplates(field string, templates map[string]string) {
	for _, key := range sortedKeys(templates) {
		if d, found := vtl.FirstDirective(templates[key]); found {
			p.notYet(field, "mapping templates that are more than literal text (%q, line %d: %s)", key, d.Line, d.Text)
		}
	}
}
