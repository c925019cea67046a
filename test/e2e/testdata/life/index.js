'use strict';

// What all functions of the life are: an authorizer, and one that tells what it got.
exports.handler = async (event) => {
  if (event.methodArn) {
    const Effect = event.queryStringParameters?.token === 'let-me-in' ? 'Allow' : 'Deny';
    const Statement = [{ Action: 'execute-api:Invoke', Effect, Resource: event.methodArn }];
    return { principalId: 'somebody', policyDocument: { Version: '2012-10-17', Statement } };
  }
  const answer = `${process.env.REVISION} got ${event.body ?? event.text}`;
  return event.requestContext ? { statusCode: 200, body: answer } : answer;
};
