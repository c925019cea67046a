'use strict';

const { appendFileSync } = require('fs');

const record = (event) => appendFileSync(process.env.E2E_EVENTS, JSON.stringify(event) + '\n');

exports.lifecycle = async (event) => {
  if (event.requestContext.eventType === 'DISCONNECT' && process.env.E2E_HOLD_DISCONNECT === 'yes') {
    await new Promise((resolve) => setTimeout(resolve, 45_000));
  }
  record(event);
  const offered = event.headers['Sec-WebSocket-Protocol'];
  if (!offered) return { statusCode: 200 };
  return { statusCode: 200, headers: { 'Sec-WebSocket-Protocol': offered.split(',')[0].trim() } };
};

exports.whoami = async (event) => ({ statusCode: 200, body: event.requestContext.connectionId });

exports.echo = async (event) => {
  record(event);
  return { statusCode: 200, body: event.body };
};
