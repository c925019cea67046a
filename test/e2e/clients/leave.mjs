// Connects with the ws library, prints its connection ID and leaves: node leave.mjs URL close|terminate [CODE [REASON]]
import WebSocket from 'ws';

const [url, how, code, reason] = process.argv.slice(2);
const socket = new WebSocket(url);
socket.on('open', () => socket.send('{"action":"whoami"}'));
socket.on('message', (id) => {
  process.stdout.write(`${id}\n`);
  if (how === 'terminate') socket.terminate();
  else socket.close(code && Number(code), reason);
});
