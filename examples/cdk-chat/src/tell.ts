import { ApiGatewayManagementApiClient, GoneException, PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import type { APIGatewayProxyWebsocketHandlerV2 } from 'aws-lambda';

// Delivers {"action": "tell", "to": ID, "text": TEXT}, and answers the sender whether it was.
export const handler: APIGatewayProxyWebsocketHandlerV2 = async ({ requestContext, body }) => {
  const { to, text } = JSON.parse(body ?? '{}');
  const api = new ApiGatewayManagementApiClient({ endpoint: `https://${requestContext.domainName}/${requestContext.stage}` });
  try {
    await api.send(new PostToConnectionCommand({ ConnectionId: to, Data: JSON.stringify({ from: requestContext.connectionId, text }) }));
  } catch (err) {
    if (!(err instanceof GoneException)) throw err;
    return { statusCode: 200, body: JSON.stringify({ told: false, why: 'gone' }) };
  }
  return { statusCode: 200, body: JSON.stringify({ told: true }) };
};
