'use strict';

exports.connections = async () => ({ statusCode: 200 });

exports.whoami = async ({ requestContext }) => ({ statusCode: 200, body: requestContext.connectionId });
