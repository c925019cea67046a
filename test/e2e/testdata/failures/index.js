'use strict';

exports.connections = async (event) => {
  const { fail } = event.queryStringParameters ?? {};
  if (fail === 'throw') throw new Error('not today');
  return { statusCode: Number(fail ?? 200) };
};
exports.whoami = async (event) => ({ statusCode: 200, body: event.requestContext.connectionId });
exports.throws = async () => {
  throw new TypeError('thrown on purpose');
};
exports.slow = () => new Promise(() => setInterval(() => {}, 1000));
exports.exits = async () => process.exit(3);
exports.malformed = async () => ({ statusCode: 200, surprise: true });
