'use strict';

const AWS = require('aws-sdk');
const { ask } = require('./ask');

exports.handler = ask(async (endpoint, { op, to, data }) => {
  const api = new AWS.ApiGatewayManagementApi({ apiVersion: '2018-11-29', endpoint: endpoint.replace('https://', '') });
  switch (op) {
    case 'post':
      return api.postToConnection({ ConnectionId: to, Data: data }).promise();
    case 'get':
      return api.getConnection({ ConnectionId: to }).promise();
    case 'delete':
      return api.deleteConnection({ ConnectionId: to }).promise();
  }
});
