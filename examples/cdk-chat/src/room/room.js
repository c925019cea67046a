'use strict';

// Lets everybody in, and logs who comes and goes.
exports.handler = async ({ requestContext }) => {
  console.log(requestContext.eventType, requestContext.connectionId);
  return { statusCode: 200 };
};
