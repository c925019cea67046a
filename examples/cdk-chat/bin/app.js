'use strict';

const { App } = require('aws-cdk-lib');
const { ChatStack } = require('../lib/chat-stack');
const { RoomStack } = require('../lib/room-stack');

const app = new App();
const room = new RoomStack(app, 'RoomStack');
new ChatStack(app, 'ChatStack', { room: room.handler });
