// Signs a WebSocket URL as browser clients do, and prints it: node presign.mjs URL
// Credentials are those of the environment.
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

class Sha256 {
  constructor(secret) {
    this.hash = secret ? createHmac('sha256', secret) : createHash('sha256');
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return new Uint8Array(this.hash.digest());
  }
}

const url = new URL(process.argv[2]);
const signer = new SignatureV4({
  service: 'execute-api',
  region: 'eu-west-1',
  sha256: Sha256,
  credentials: {
    accessKeyId: process.env.AWS_ACCESS_KEY_ID,
    secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
    sessionToken: process.env.AWS_SESSION_TOKEN,
  },
});
const signed = await signer.presign(
  {
    method: 'GET',
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { host: url.host },
  },
  { expiresIn: 60 },
);
url.search = new URLSearchParams(signed.query).toString().replaceAll('+', '%20');
process.stdout.write(url.href + '\n');
