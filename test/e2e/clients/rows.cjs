// Prints the names in the chat example's table as a JSON array: node rows.cjs NODE_MODULES ENDPOINT TABLE
const { createRequire } = require('module');
const path = require('path');

const [modules, endpoint, TableName] = process.argv.slice(2);
const { DynamoDBClient, ScanCommand } = createRequire(path.resolve(modules, 'here'))('@aws-sdk/client-dynamodb');

new DynamoDBClient({ endpoint, region: 'eu-west-1', credentials: { accessKeyId: 'any', secretAccessKey: 'any' } })
  .send(new ScanCommand({ TableName }))
  .then(({ Items }) => process.stdout.write(JSON.stringify(Items.map(({ name }) => name.S)) + '\n'));
