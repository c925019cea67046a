const { text } = require('./lib/text');

exports.connections = async () => ({ statusCode: 200 });
exports.whoami = async (event) => ({ statusCode: 200, body: event.requestContext.connectionId });
exports.version = async () => ({ statusCode: 200, body: `first ${text}` });
