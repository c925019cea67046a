import type { APIGatewayProxyResultV2, APIGatewayProxyWebsocketEventV2 } from 'aws-lambda';

import { broadcast } from './broadcast';
import * as connections from './connections';

/** Takes whoever left out of the table, and tells the others. */
export const handler = async (event: APIGatewayProxyWebsocketEventV2): Promise<APIGatewayProxyResultV2> => {
  const { connectionId } = event.requestContext;
  const gone = await connections.find(connectionId);
  await connections.remove(connectionId);
  if (gone) await broadcast(event.requestContext, { event: 'left', name: gone.name });
  return { statusCode: 200 };
};
