'use strict';

// Sends each message back, tells a client its ID, and lets everybody in. It answers by itself: serverless-offline has no
// integrations with HTTP backends.
exports.handler = async ({ requestContext: { eventType, routeKey, connectionId }, body }) => {
  if (eventType !== 'MESSAGE') return { statusCode: 200 };
  return { statusCode: 200, body: routeKey === 'id' ? connectionId : body };
};
