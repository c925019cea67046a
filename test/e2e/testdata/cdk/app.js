'use strict';

// The recorder, written with the AWS CDK.
const { App, CfnParameter, Duration, Stack } = require('aws-cdk-lib');
const { WebSocketApi, WebSocketStage } = require('aws-cdk-lib/aws-apigatewayv2');
const { WebSocketLambdaIntegration } = require('aws-cdk-lib/aws-apigatewayv2-integrations');
const lambda = require('aws-cdk-lib/aws-lambda');

const app = new App();
const stack = new Stack(app, 'recorder');
const events = new CfnParameter(stack, 'Events', { type: 'String' });
const integration = (name) => {
  const handler = new lambda.Function(stack, name, {
    runtime: lambda.Runtime.NODEJS_20_X,
    handler: `index.${name}`,
    code: lambda.Code.fromAsset('.', { exclude: ['*', '!index.js'] }),
    timeout: Duration.seconds(60),
    environment: { E2E_EVENTS: events.valueAsString, E2E_HOLD_DISCONNECT: 'no' },
  });
  return (id) => new WebSocketLambdaIntegration(id, handler);
};
const lifecycle = integration('lifecycle');
const api = new WebSocketApi(stack, 'Api', {
  connectRouteOptions: { integration: lifecycle('Connect') },
  disconnectRouteOptions: { integration: lifecycle('Disconnect') },
  defaultRouteOptions: { integration: integration('echo')('Echo'), returnResponse: true },
});
api.addRoute('whoami', { integration: integration('whoami')('Whoami'), returnResponse: true });
new WebSocketStage(stack, 'Stage', { webSocketApi: api, stageName: 'dev', autoDeploy: true });
