import type { APIGatewayProxyResultV2, APIGatewayProxyWebsocketEventV2 } from 'aws-lambda';

import { broadcast } from './broadcast';
import * as connections from './connections';

/** Tells everybody in the room, the speaker too: {"action":"say","text":"hello"}. */
export const handler = async (event: APIGatewayProxyWebsocketEventV2): Promise<APIGatewayProxyResultV2> => {
  const { text } = JSON.parse(event.body ?? '{}') as { text?: string };
  const speaker = await connections.find(event.requestContext.connectionId);
  if (!speaker || !text) return { statusCode: 400 };
  await broadcast(event.requestContext, { event: 'said', name: speaker.name, text });
  return { statusCode: 200 };
};
