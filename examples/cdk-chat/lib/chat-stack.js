'use strict';

const path = require('node:path');
const { CfnOutput, Stack } = require('aws-cdk-lib');
const { WebSocketApi, WebSocketStage } = require('aws-cdk-lib/aws-apigatewayv2');
const { WebSocketLambdaIntegration } = require('aws-cdk-lib/aws-apigatewayv2-integrations');
const lambda = require('aws-cdk-lib/aws-lambda');
const { NodejsFunction } = require('aws-cdk-lib/aws-lambda-nodejs');

class ChatStack extends Stack {
  constructor(scope, id, { room }) {
    super(scope, id);
    const enter = new WebSocketLambdaIntegration('Enter', room);
    const leave = new WebSocketLambdaIntegration('Leave', room);
    const api = new WebSocketApi(this, 'Chat', {
      connectRouteOptions: { integration: enter },
      disconnectRouteOptions: { integration: leave },
    });

    // Bundled by esbuild.
    const tell = new NodejsFunction(this, 'Tell', {
      entry: path.join(__dirname, '../src/tell.ts'),
      runtime: lambda.Runtime.NODEJS_22_X,
      environment: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    });
    api.grantManageConnections(tell);
    api.addRoute('tell', { integration: new WebSocketLambdaIntegration('Tell', tell), returnResponse: true });

    // Carried by the template itself.
    const whoami = new lambda.Function(this, 'WhoAmI', {
      runtime: lambda.Runtime.NODEJS_22_X,
      handler: 'index.handler',
      code: lambda.Code.fromInline('exports.handler = async (event) => ({ statusCode: 200, body: event.requestContext.connectionId });'),
    });
    const live = new lambda.Alias(this, 'Live', { aliasName: 'live', version: whoami.currentVersion });
    api.addRoute('whoami', { integration: new WebSocketLambdaIntegration('WhoAmI', live), returnResponse: true });

    const stage = new WebSocketStage(this, 'Dev', { webSocketApi: api, stageName: 'dev', autoDeploy: true });
    new CfnOutput(this, 'Url', { value: stage.url });
  }
}

module.exports = { ChatStack };
