package control_test

import (
	"errors"
	"testing"

	"cleat/internal/apigw"
)

// TestDomainOperations are those of apigatewayv2 (spec control-plane §1.1, §13).
func TestDomainOperations(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.control
	api := newAPI(t, c)
	step[apigw.Stage](t)(c.CreateStage(ctx, api.APIID, apigw.Stage{StageName: "dev"}))
	name := apigw.DomainName{DomainName: "WS.example.com", DomainNameConfigurations: []apigw.DomainNameConfiguration{{CertificateARN: "arn:x"}}}
	made := step[apigw.DomainName](t)(c.CreateDomainName(ctx, name, "us-east-1"))
	if made.DomainName != "ws.example.com" || made.DomainNameConfigurations[0].DomainNameStatus != "AVAILABLE" || name.DomainNameConfigurations[0].DomainNameStatus != "" {
		t.Errorf("domain %+v", made)
	}
	fails := func(what string, err error, kind apigw.Kind, want string) {
		t.Helper()
		if apigw.KindOf(err) != kind || message(err) != want {
			t.Errorf("%s: %v, want kind %d %q", what, err, kind, want)
		}
	}
	_, err := c.CreateDomainName(ctx, name, "us-east-1")
	fails("name taken", err, apigw.KindBadRequest, "The domain name you provided already exists.")
	mapping := apigw.APIMapping{DomainName: "ws.example.com", APIID: api.APIID, Stage: "dev", APIMappingKey: "v1"}
	m := step[apigw.APIMapping](t)(c.CreateAPIMapping(ctx, mapping))
	if all := step[[]apigw.APIMapping](t)(c.APIMappings(ctx, "WS.example.com")); len(all) != 1 || all[0] != m || len(m.APIMappingID) != 7 {
		t.Errorf("mappings %+v, made %+v", all, m)
	}
	_, err = c.CreateAPIMapping(ctx, mapping)
	fails("key taken", err, apigw.KindConflict, "ApiMapping key already exists for this domain name")
	other := mapping
	other.DomainName = "none.example.com"
	_, err = c.CreateAPIMapping(ctx, other)
	fails("no domain", err, apigw.KindNotFound, "The domain name resource specified in the request was not found.")
	other = mapping
	other.APIMappingKey, other.Stage = "v2", "none"
	_, err = c.CreateAPIMapping(ctx, other)
	fails("no stage", err, apigw.KindBadRequest, "Invalid stage identifier specified")
	other.APIID = "none"
	_, err = c.CreateAPIMapping(ctx, other)
	fails("no API", err, apigw.KindNotFound, "Invalid API identifier specified 123456789012:none")
	_, err = c.APIMappings(ctx, "none.example.com")
	fails("mappings of nothing", err, apigw.KindNotFound, "The domain name resource specified in the request was not found.")
	fails("mapped API", c.DeleteAPI(ctx, api.APIID), apigw.KindBadRequest, "Deleting API "+string(api.APIID)+" failed. Please remove all API mappings for the API from your custom domain names.")
	fails("mapped stage", c.DeleteStage(ctx, api.APIID, "dev"), apigw.KindBadRequest, "Deleting stage dev of API "+string(api.APIID)+" failed. Please remove all API mappings for the stage from your custom domain names.")
	fails("unknown mapping", c.DeleteAPIMapping(ctx, "ws.example.com", "none"), apigw.KindNotFound, "The api mapping resource specified in the request was not found.")
	fails("unknown domain", c.DeleteDomainName(ctx, "none.example.com"), apigw.KindNotFound, "The domain name resource specified in the request was not found.")
	if err := c.DeleteAPIMapping(ctx, "ws.example.com", m.APIMappingID); err != nil {
		t.Error(err)
	}
	step[apigw.APIMapping](t)(c.CreateAPIMapping(ctx, mapping))
	if all := step[[]apigw.DomainName](t)(c.DomainNames(ctx)); len(all) != 1 {
		t.Errorf("domains %+v", all)
	}
	if err := errors.Join(c.DeleteDomainName(ctx, "ws.example.com"), c.DeleteAPI(ctx, api.APIID)); err != nil {
		t.Error(err)
	}
	if entries, _, err := w.driver.List(ctx, ""); err != nil || len(entries) != 0 {
		t.Errorf("what is left: %+v, %v", entries, err)
	}
}
