import type { APIGatewayProxyResultV2, APIGatewayProxyWebsocketEventV2 } from 'aws-lambda';

import * as connections from './connections';

/** The part of the handshake that the package's type of a WebSocket event leaves out. */
type ConnectEvent = APIGatewayProxyWebsocketEventV2 & {
  queryStringParameters?: Record<string, string>;
};

/** Lets in whoever says a name: ws://…/dev?name=ada. */
export const handler = async (event: ConnectEvent): Promise<APIGatewayProxyResultV2> => {
  const name = event.queryStringParameters?.name;
  if (!name) return { statusCode: 400 };
  await connections.add({ connectionId: event.requestContext.connectionId, name });
  return { statusCode: 200 };
};
