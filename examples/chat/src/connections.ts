import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateScan,
} from '@aws-sdk/lib-dynamodb';

/** One row of the table: a client that is connected. */
export interface Connection {
  connectionId: string;
  name: string;
}

const TableName = process.env.CONNECTIONS_TABLE!;
const documents = DynamoDBDocumentClient.from(new DynamoDBClient({}));

export async function add(connection: Connection): Promise<void> {
  await documents.send(new PutCommand({ TableName, Item: connection }));
}

export async function find(connectionId: string): Promise<Connection | undefined> {
  const { Item } = await documents.send(new GetCommand({ TableName, Key: { connectionId } }));
  return Item as Connection | undefined;
}

export async function remove(connectionId: string): Promise<void> {
  await documents.send(new DeleteCommand({ TableName, Key: { connectionId } }));
}

/** All connections, page by page. */
export async function* all(): AsyncGenerator<Connection> {
  for await (const page of paginateScan({ client: documents }, { TableName })) {
    yield* (page.Items ?? []) as Connection[];
  }
}
