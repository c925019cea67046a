// One call of the management API from outside with the SDK for JavaScript v3: node sdk3.mjs ENDPOINT OP ID [DATA]
// Credentials are those of the environment, if it has any.
import { ApiGatewayManagementApi } from '@aws-sdk/client-apigatewaymanagementapi';

const [endpoint, op, ConnectionId, Data] = process.argv.slice(2);
const api = new ApiGatewayManagementApi({
  endpoint,
  region: 'eu-west-1',
  credentials: {
    accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? 'any',
    secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? 'any',
    sessionToken: process.env.AWS_SESSION_TOKEN,
  },
});
const call = {
  post: () => api.postToConnection({ ConnectionId, Data }),
  get: () => api.getConnection({ ConnectionId }),
  delete: () => api.deleteConnection({ ConnectionId }),
}[op];
const outcome = await call().then(
  (result) => ({ op, result }),
  ({ name, message, $metadata }) => ({ op, error: { name, message, statusCode: $metadata?.httpStatusCode } }),
);
process.stdout.write(JSON.stringify(outcome) + '\n');
