// Makes the calls that stand on standard input, one a line, with the SDK for JavaScript v3, and answers each with a line:
// {"service", "endpoint", "operation", "params", "blobs"} is answered with {"result"} or {"error": {"name", "status", "message"}}.
// Credentials and region are those of the environment.
import { createInterface } from 'node:readline';
import * as apigateway from '@aws-sdk/client-api-gateway';
import * as apigatewaymanagementapi from '@aws-sdk/client-apigatewaymanagementapi';
import * as apigatewayv2 from '@aws-sdk/client-apigatewayv2';
import * as iam from '@aws-sdk/client-iam';
import * as lambda from '@aws-sdk/client-lambda';
import * as sts from '@aws-sdk/client-sts';

const sdks = {
  apigateway: [apigateway, apigateway.APIGatewayClient],
  apigatewaymanagementapi: [apigatewaymanagementapi, apigatewaymanagementapi.ApiGatewayManagementApiClient],
  apigatewayv2: [apigatewayv2, apigatewayv2.ApiGatewayV2Client],
  iam: [iam, iam.IAMClient],
  lambda: [lambda, lambda.LambdaClient],
  sts: [sts, sts.STSClient],
};
const clients = new Map();

function clientOf(service, endpoint) {
  const key = `${service} ${endpoint}`;
  if (!clients.has(key)) clients.set(key, new sdks[service][1]({ endpoint, maxAttempts: 1 }));
  return clients.get(key);
}

// paginate asks for page after page, of one item each.
async function paginate(call) {
  const items = [];
  let NextToken;
  do {
    const page = await call({ MaxResults: '1', NextToken });
    if (page.Items.length > 1) throw new Error(`a page of ${page.Items.length} items`);
    items.push(...page.Items);
    NextToken = page.NextToken;
  } while (NextToken);
  return { Items: items };
}

async function answer({ service, endpoint, operation, params, blobs }) {
  const client = clientOf(service, endpoint);
  const [sdk] = sdks[service];
  const { Waiter, Operation, ...input } = params;
  for (const [name, content] of Object.entries(blobs)) {
    const bytes = Buffer.from(content, 'base64');
    if (operation === 'CreateFunction') input.Code = { [name]: bytes };
    else input[name] = bytes;
  }
  if (Waiter) return sdk[`waitUntil${Waiter}`]({ client, minDelay: 1, maxWaitTime: 20 }, input).then(() => ({}));
  const call = (more) => client.send(new sdk[`${Operation ?? operation}Command`]({ ...input, ...more }));
  const result = await (Operation ? paginate(call) : call({}));
  if (result.Payload) result.Payload = Buffer.from(result.Payload).toString();
  return result;
}

for await (const line of createInterface({ input: process.stdin })) {
  const outcome = await answer(JSON.parse(line)).then(
    (result) => ({ result }),
    ({ name, message, $metadata }) => ({ error: { name, message, status: $metadata?.httpStatusCode } }),
  );
  process.stdout.write(JSON.stringify(outcome) + '\n');
}
