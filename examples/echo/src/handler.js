'use strict';

const {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} = require('@aws-sdk/client-apigatewaymanagementapi');

// push sends text to one connection of the API that the event came from.
async function push({ apiId, stage }, connectionId, text) {
  const endpoint = `https://${apiId}.execute-api.${process.env.AWS_REGION}.amazonaws.com/${stage}`;
  const client = new ApiGatewayManagementApiClient({ endpoint });
  await client.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: text }));
}

// connections sees clients come and go. A status of 200 at $connect lets the client in.
exports.connections = async ({ requestContext }) => {
  const { eventType, connectionId, disconnectStatusCode } = requestContext;
  console.log(eventType, connectionId, disconnectStatusCode ?? '');
  return { statusCode: 200 };
};

// echo answers the sender: its route is two-way, so what it returns as body goes back as one message.
exports.echo = async ({ body }) => {
  const { text } = JSON.parse(body);
  return { statusCode: 200, body: JSON.stringify({ text }) };
};

// whoami pushes the caller its own connection ID, as any other process that knows the ID could.
exports.whoami = async ({ requestContext }) => {
  const { connectionId } = requestContext;
  await push(requestContext, connectionId, JSON.stringify({ connectionId }));
  return { statusCode: 200 };
};
