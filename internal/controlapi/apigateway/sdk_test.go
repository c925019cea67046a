package apigateway_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// client is AWS's own client of the service.
func (w *world) client() *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
}

func replace(path, value string) types.PatchOperation {
	return types.PatchOperation{Op: types.OpReplace, Path: &path, Value: &value}
}

func stageOp(op types.Op, value string) types.PatchOperation {
	return types.PatchOperation{Op: op, Path: aws.String("/apiStages"), Value: &value}
}

// The life of Terraform's aws_api_gateway_api_key, _usage_plan, _usage_plan_key, _vpc_link and _account: a read after
// each write gives what was written and AWS's defaults, so that no plan shows a difference (spec control-plane §14).
func TestTerraformShapes(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client(), t.Context()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	same := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}

	// Terraform sends an empty value for none, and reads with the value.
	key, err := c.CreateApiKey(ctx, &sdk.CreateApiKeyInput{Name: aws.String("partner"), Description: aws.String("Managed by Terraform"), Enabled: true, Value: aws.String(""), Tags: map[string]string{"a": "b"}})
	fatal(err)
	readKey := func() *sdk.GetApiKeyOutput {
		t.Helper()
		k, err := c.GetApiKey(ctx, &sdk.GetApiKeyInput{ApiKey: key.Id, IncludeValue: aws.Bool(true)})
		fatal(err)
		return k
	}
	k := readKey()
	same("key", []any{*k.Name, *k.Description, k.Enabled, *k.Value, k.Tags}, []any{"partner", "Managed by Terraform", true, *key.Value, map[string]string{"a": "b"}})
	if age := time.Since(*k.CreatedDate); age < -time.Second || age > time.Minute || len(*k.Value) != 40 || len(*k.Id) != 10 {
		t.Errorf("created %v, value %q, ID %q", k.CreatedDate, *k.Value, *k.Id)
	}
	_, err = c.UpdateApiKey(ctx, &sdk.UpdateApiKeyInput{ApiKey: key.Id, PatchOperations: []types.PatchOperation{replace("/enabled", "false"), replace("/description", "")}})
	fatal(err)
	k = readKey()
	same("key updated", []any{k.Enabled, aws.ToString(k.Description), *k.Value}, []any{false, "", *key.Value})

	at := string(w.api)
	plan, err := c.CreateUsagePlan(ctx, &sdk.CreateUsagePlanInput{
		Name: aws.String("gold"), ApiStages: []types.ApiStage{{ApiId: &at, Stage: aws.String("prod")}},
		Quota: &types.QuotaSettings{Limit: 10, Period: types.QuotaPeriodTypeWeek, Offset: 2}, Throttle: &types.ThrottleSettings{BurstLimit: 5},
	})
	fatal(err)
	readPlan := func() *sdk.GetUsagePlanOutput {
		t.Helper()
		p, err := c.GetUsagePlan(ctx, &sdk.GetUsagePlanInput{UsagePlanId: plan.Id})
		fatal(err)
		return p
	}
	p := readPlan()
	same("plan", []any{*p.Name, p.Description, len(p.ApiStages), *p.Quota, *p.Throttle, p.ProductCode},
		[]any{"gold", (*string)(nil), 1, types.QuotaSettings{Limit: 10, Period: "WEEK", Offset: 2}, types.ThrottleSettings{BurstLimit: 5}, (*string)(nil)})
	_, err = c.UpdateUsagePlan(ctx, &sdk.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{
		stageOp(types.OpRemove, at+":prod"), stageOp(types.OpAdd, at+":prod"), stageOp(types.OpAdd, at+":beta"),
		replace("/apiStages/"+at+":beta/throttle/say/rateLimit", "3"), replace("/apiStages/"+at+":beta/throttle/say/burstLimit", "4"),
		replace("/throttle/rateLimit", "0"), replace("/throttle/burstLimit", "6"),
		{Op: types.OpRemove, Path: aws.String("/quota")},
		{Op: types.OpAdd, Path: aws.String("/productCode"), Value: aws.String("code")},
	}})
	fatal(err)
	p = readPlan()
	same("plan updated", []any{len(p.ApiStages), p.ApiStages[1].Throttle["say"], p.Quota, *p.Throttle, *p.ProductCode},
		[]any{2, types.ThrottleSettings{RateLimit: 3, BurstLimit: 4}, (*types.QuotaSettings)(nil), types.ThrottleSettings{BurstLimit: 6}, "code"})

	member, err := c.CreateUsagePlanKey(ctx, &sdk.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")})
	fatal(err)
	m, err := c.GetUsagePlanKey(ctx, &sdk.GetUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: member.Id})
	fatal(err)
	same("member", []string{*m.Id, *m.Type, *m.Value, *m.Name}, []string{*key.Id, "API_KEY", *key.Value, "partner"})
	usage, err := c.GetUsage(ctx, &sdk.GetUsageInput{UsagePlanId: plan.Id, StartDate: aws.String("2024-03-12"), EndDate: aws.String("2024-03-13")})
	fatal(err)
	same("usage", usage.Items, map[string][][]int64{*key.Id: {{3, 7}, {3, 7}}})

	// To delete a plan, Terraform takes out its stages first; a plan that is gone is told by its error's type.
	_, err = c.UpdateUsagePlan(ctx, &sdk.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{stageOp(types.OpRemove, at+":prod"), stageOp(types.OpRemove, at+":beta")}})
	fatal(err)
	_, err = c.DeleteUsagePlan(ctx, &sdk.DeleteUsagePlanInput{UsagePlanId: plan.Id})
	fatal(err)
	_, err = c.GetUsagePlan(ctx, &sdk.GetUsagePlanInput{UsagePlanId: plan.Id})
	if _, ok := errors.AsType[*types.NotFoundException](err); !ok {
		t.Errorf("got %v", err)
	}

	link, err := c.CreateVpcLink(ctx, &sdk.CreateVpcLinkInput{Name: aws.String("known"), TargetArns: []string{"http://127.0.0.1:9001"}, Tags: map[string]string{"a": "b"}})
	fatal(err)
	_, err = c.UpdateVpcLink(ctx, &sdk.UpdateVpcLinkInput{VpcLinkId: link.Id}) // as it does when only tags have changed
	fatal(err)
	arn := aws.String("arn:aws:apigateway:us-east-1::/vpclinks/" + *link.Id)
	_, err = c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"c": "d"}})
	fatal(err)
	_, err = c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}})
	fatal(err)
	l, err := c.GetVpcLink(ctx, &sdk.GetVpcLinkInput{VpcLinkId: link.Id})
	fatal(err)
	same("link", []any{*l.Name, l.Description, l.TargetArns, l.Status, l.Tags}, []any{"known", (*string)(nil), "[http://127.0.0.1:9001]", "AVAILABLE", map[string]string{"c": "d"}})

	role := "arn:aws:iam::123456789012:role/logs"
	_, err = c.UpdateAccount(ctx, &sdk.UpdateAccountInput{PatchOperations: []types.PatchOperation{replace("/cloudwatchRoleArn", role)}})
	fatal(err)
	account, err := c.GetAccount(ctx, &sdk.GetAccountInput{})
	fatal(err)
	same("account", []any{*account.CloudwatchRoleArn, *account.ThrottleSettings, account.Features, *account.ApiKeyVersion},
		[]any{role, types.ThrottleSettings{BurstLimit: 5000, RateLimit: 10000}, "[UsagePlans]", "4"})

	imported, err := c.ImportApiKeys(ctx, &sdk.ImportApiKeysInput{Format: types.ApiKeysFormatCsv, Body: []byte("Name,Key\nx,the-value-of-the-next-key\n")})
	fatal(err)
	same("import", []int{len(imported.Ids), len(imported.Warnings)}, "[1 0]")
	pages := sdk.NewGetApiKeysPaginator(c, &sdk.GetApiKeysInput{Limit: aws.Int32(1)})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		fatal(err)
		n += len(page.Items)
	}
	same("keys on all pages", n, 2)
}
