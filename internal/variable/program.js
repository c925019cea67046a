// Runs one JavaScript file for ${file(x.js):address}. Lines on standard output that begin with the token are for Cleat,
// and Cleat's answers come on standard input, a line each; what the file itself prints goes to standard error.
'use strict';
const fs = require('fs');
const { pathToFileURL } = require('url');
const { file, keys, options, token } = JSON.parse(process.argv[1]);

function send(message) {
  const line = Buffer.from(token + JSON.stringify(message) + '\n');
  for (let sent = 0; sent < line.length;) {
    try {
      sent += fs.writeSync(1, line, sent);
    } catch (e) {
      if (e.code !== 'EAGAIN') throw e;
    }
  }
}
process.stdout.write = process.stderr.write.bind(process.stderr);

// Questions are answered in the order they are asked in.
const waiting = [];
function ask(variable) {
  return new Promise((resolve, reject) => {
    if (waiting.push({ resolve, reject }) === 1) listen();
    send({ variable });
  });
}
let rest = '';
let listening = false;
function listen() {
  if (listening) return;
  listening = true;
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const { value, error } = JSON.parse(line);
      const asked = waiting.shift();
      if (error === undefined) asked.resolve(value);
      else asked.reject(new Error(error));
    }
  });
}

const api = {
  options,
  resolveVariable: async (variable) => ask(String(variable)),
  resolveConfigurationProperty: async (path) => ask('self:' + [].concat(path).join('.')),
};

async function load() {
  if (/\.mjs$/i.test(file)) return import(pathToFileURL(file));
  try {
    return require(file);
  } catch (e) {
    if (e.code !== 'ERR_REQUIRE_ESM' && e.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw e;
    return import(pathToFileURL(file));
  }
}

// plain tells whether a value is data through and through, so that it can be had as a whole, once for all addresses.
function plain(value, seen = new Set()) {
  if (typeof value === 'function' || typeof value === 'bigint' || (value && typeof value.then === 'function')) return false;
  if (value === null || typeof value !== 'object') return true;
  if (seen.has(value)) return false;
  seen.add(value);
  return Object.values(value).every((v) => plain(v, seen));
}

async function run() {
  const module = await load();
  let value = module;
  if (value && value.default !== undefined && (value[Symbol.toStringTag] === 'Module' || value.__esModule) && !(keys[0] in value)) {
    value = value.default;
  }
  const called = async (v, self) => (typeof v === 'function' ? v.call(self, api) : v);
  value = await called(value, undefined);
  if (value !== undefined && module !== null && module[Symbol.toStringTag] !== 'Module' && plain(value)) return { value, whole: true };
  for (const key of keys) {
    if (value === undefined || value === null || typeof value !== 'object') {
      value = undefined;
      break;
    }
    value = await called(value[key], value);
  }
  return { value };
}

const files = () => Object.keys(require.cache);
run().then(({ value, whole }) => {
  send({ done: true, value, whole, absent: value === undefined, files: files() });
  process.exit(0);
}).catch((e) => {
  const error = (e instanceof Error ? `${e.name}: ${e.message}` : `it threw ${String(e)}`).split('\n')[0].slice(0, 2000);
  send({ done: true, error, stack: String((e && e.stack) || ''), files: files() });
  throw e; // Node shows where: for a mistake in the syntax of a module nothing else does
});
