import {
  ApiGatewayManagementApiClient,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';

import * as connections from './connections';

/** Where the management API of the event's own API is. */
export interface Origin {
  domainName: string;
  stage: string;
}

/**
 * Sends a message to everybody in the table. Whoever has gone without a $disconnect is taken out of it; any other
 * failure is thrown after everybody else was served.
 */
export async function broadcast({ domainName, stage }: Origin, message: unknown): Promise<void> {
  const api = new ApiGatewayManagementApiClient({ endpoint: `https://${domainName}/${stage}` });
  const Data = JSON.stringify(message);

  const deliveries: Promise<void>[] = [];
  for await (const { connectionId } of connections.all()) {
    deliveries.push(deliver(api, connectionId, Data));
  }
  const failed = (await Promise.allSettled(deliveries)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

async function deliver(api: ApiGatewayManagementApiClient, ConnectionId: string, Data: string): Promise<void> {
  try {
    await api.send(new PostToConnectionCommand({ ConnectionId, Data }));
  } catch (error) {
    if (!(error instanceof GoneException)) throw error;
    await connections.remove(ConnectionId);
  }
}
