'use strict';

// ask reads {"op", "via", "to", "data"}, builds the management endpoint the one way or the other, has call carry the
// operation out, and answers with what came of it.
exports.ask = (call) => async ({ body, requestContext: { domainName, apiId, stage } }) => {
  const message = JSON.parse(body);
  const host = { domain: domainName, aws: `${apiId}.execute-api.${process.env.AWS_REGION}.amazonaws.com` }[message.via];
  const outcome = await call(`https://${host}/${stage}`, message).then(
    (result) => ({ op: message.op, result }),
    (error) => ({
      op: message.op,
      error: {
        name: error.name,
        code: error.code,
        statusCode: error.statusCode ?? error.$metadata?.httpStatusCode,
        message: error.message,
      },
    }),
  );
  return { statusCode: 200, body: JSON.stringify(outcome) };
};
