'use strict';

const AWS = require('aws-sdk');

const push = (event, text, callback) => {
  const { apiId, stage, connectionId } = event.requestContext;
  const api = new AWS.ApiGatewayManagementApi({
    apiVersion: '2018-11-29',
    endpoint: `https://${apiId}.execute-api.${process.env.AWS_REGION}.amazonaws.com/${stage}`,
  });
  api.postToConnection({ ConnectionId: connectionId, Data: text }, (error) => callback(error, {}));
};

module.exports.connect = (event, context, callback) => callback(null, {});

module.exports.disconnect = (event, context, callback) => {
  console.log('gone', event.requestContext.connectionId);
  callback(null, {});
};

module.exports.ping = (event, context, callback) => push(event, 'pong', callback);

module.exports.fallback = (event, context, callback) => push(event, `no route for ${event.body}`, callback);
