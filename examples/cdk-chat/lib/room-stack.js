'use strict';

const path = require('node:path');
const { Stack } = require('aws-cdk-lib');
const lambda = require('aws-cdk-lib/aws-lambda');

// The function that lets people in, in a stack of its own: the other stack imports it.
class RoomStack extends Stack {
  constructor(scope, id) {
    super(scope, id);
    this.handler = new lambda.Function(this, 'Room', {
      runtime: lambda.Runtime.NODEJS_22_X,
      handler: 'room.handler',
      code: lambda.Code.fromAsset(path.join(__dirname, '../src/room')),
    });
  }
}

module.exports = { RoomStack };
