package control

import "cleat/internal/apigw"

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
	return p
}
