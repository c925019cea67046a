'use strict';

const {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} = require('@aws-sdk/client-apigatewaymanagementapi');
const { ask } = require('./ask');

exports.handler = ask(async (endpoint, { op, to, data }) => {
  const api = new ApiGatewayManagementApiClient({ endpoint });
  switch (op) {
    case 'post':
      return api.send(new PostToConnectionCommand({ ConnectionId: to, Data: data }));
    case 'get':
      return api.send(new GetConnectionCommand({ ConnectionId: to }));
    case 'delete':
      return api.send(new DeleteConnectionCommand({ ConnectionId: to }));
  }
});
