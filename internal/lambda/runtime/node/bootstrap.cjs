'use strict';

// The runtime that Cleat starts for nodejs* functions. It loads the handler, asks the Runtime API for one event after
// the other and keeps the contract of AWS's own runtime: the order in which a handler is looked up, callback, promise
// and synchronous handlers, the shapes of errors, exit codes and the format of console lines.
//
// Started as: node bootstrap.cjs [bundle as]
//   bundle  a file that esbuild made of the handler; without it the handler is looked up below LAMBDA_TASK_ROOT
//   as      the path under which a CommonJS bundle runs, so that require and __dirname mean what they mean there

const fs = require('fs');
const Module = require('module');
const net = require('net');
const path = require('path');
const util = require('util');
const { pathToFileURL } = require('url');

const [bundle, bundleAs] = process.argv.splice(2);
const stdout = process.stdout.write.bind(process.stdout);
const stderr = process.stderr.write.bind(process.stderr);
const now = Date.now;
const immediately = setImmediate;

let requestId; // of the invocation that runs or ran last
let current; // the invocation that has not been answered yet, else undefined
let beforeExit = () => {}; // what an empty event loop means for the current invocation

// ---- Runtime API -------------------------------------------------------------------------------------------------

// A lean HTTP client on a plain socket: code that instruments or mocks Node's http module must not see these calls.
// The socket keeps the process alive only while an answer is awaited, so that an empty event loop is noticed.
class Client {
  constructor(address) {
    const slash = address.indexOf('/');
    this.host = slash < 0 ? address : address.slice(0, slash);
    this.prefix = (slash < 0 ? '' : address.slice(slash)) + '/2018-06-01/runtime/';
    this.waiting = []; // callbacks of the answers still to come, oldest first
    this.chunks = [];
    this.size = 0;
    this.need = 0; // bytes of the next answer, 0 while its head is incomplete
    const colon = this.host.lastIndexOf(':');
    this.socket = net.connect({ host: this.host.slice(0, colon), port: Number(this.host.slice(colon + 1)), noDelay: true });
    this.socket.on('data', (chunk) => this.received(chunk));
    // Without its Runtime API a worker has nothing left to live for.
    this.socket.on('error', () => process.exit(1));
    this.socket.on('close', () => process.exit(1));
    this.socket.unref();
  }

  cork() {
    this.socket.cork();
  }

  uncork() {
    this.socket.uncork();
  }

  send(method, resource, headers, body, done) {
    let head = `${method} ${this.prefix}${resource} HTTP/1.1\r\nHost: ${this.host}\r\n`;
    for (const name of Object.keys(headers)) head += `${name}: ${headers[name]}\r\n`;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : 0;
    if (method === 'POST') head += `Content-Length: ${length}\r\n`;
    this.waiting.push(done);
    this.socket.ref();
    this.socket.write(length > 0 ? `${head}\r\n${body}` : `${head}\r\n`);
  }

  received(chunk) {
    this.chunks.push(chunk);
    this.size += chunk.length;
    while (this.size > 0 && this.size >= this.need) {
      if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
      const all = this.chunks[0];
      const end = all.indexOf('\r\n\r\n');
      if (end < 0) return;
      const lines = all.latin1Slice(0, end).split('\r\n');
      const headers = {};
      for (let i = 1; i < lines.length; i++) {
        const colon = lines[i].indexOf(':');
        headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
      }
      const total = end + 4 + Number(headers['content-length'] || 0);
      if (all.length < total) {
        this.need = total;
        return;
      }
      const rest = all.subarray(total);
      this.chunks = rest.length > 0 ? [rest] : [];
      this.size = rest.length;
      this.need = 0;
      const done = this.waiting.shift();
      if (this.waiting.length === 0) this.socket.unref();
      done(headers, all.subarray(end + 4, total), Number(lines[0].split(' ')[1]));
    }
  }
}

const client = new Client(process.env.AWS_LAMBDA_RUNTIME_API);

// ---- Console -----------------------------------------------------------------------------------------------------

// A line that begins with NUL tells Cleat that all output of the invocation, or of the start, came before it. Both streams end with one.
function markOutput(id) {
  stdout(`\0${id}\n`);
  stderr(`\0${id}\n`);
}

function log(level, ...args) {
  stdout(`${new Date(now()).toISOString()}\t${requestId}\t${level}\t${util.format(...args)}\n`);
}

for (const [name, level] of Object.entries({
  log: 'INFO',
  info: 'INFO',
  debug: 'DEBUG',
  warn: 'WARN',
  error: 'ERROR',
  fatal: 'FATAL',
})) {
  console[name] = (...args) => log(level, ...args);
}
console.trace = (...args) => {
  const at = {};
  Error.captureStackTrace(at, console.trace);
  const stack = String(at.stack).split('\n').slice(1).join('\n');
  log('TRACE', `Trace: ${util.format(...args)}\n${stack}`);
};

// ---- Errors ------------------------------------------------------------------------------------------------------

class RuntimeError extends Error {
  constructor(name, message, cause) {
    super(message);
    this.name = name;
    const stack = cause && typeof cause.stack === 'string' ? cause.stack : String(this.stack).split('\n').slice(1).join('\n');
    this.stack = `${name}: ${message}\n${stack}`;
  }
}

function isError(e) {
  return e instanceof Error || Boolean(e && typeof e.name === 'string' && typeof e.message === 'string' && typeof e.stack === 'string');
}

function describe(e) {
  try {
    if (isError(e)) return { errorType: String(e.name), errorMessage: String(e.message), trace: String(e.stack).split('\n') };
    return { errorType: typeof e, errorMessage: e === undefined || e === null ? String(e) : e.toString(), trace: [] };
  } catch (_) {
    return { errorType: 'handled', errorMessage: 'The error could not be described: reading its name, message or stack failed', trace: [] };
  }
}

function errorHeaders(type) {
  return { 'Content-Type': 'application/json', 'Lambda-Runtime-Function-Error-Type': type.replace(/[^\x20-\x7e]/g, '_') };
}

// logError prints an error as AWS does: one line of JSON.
function logError(title, e) {
  const { errorType, errorMessage, trace } = describe(e);
  const extra = {};
  if (isError(e)) {
    for (const key of Object.keys(e)) if (key !== 'name' && key !== 'stack' && key !== 'message') extra[key] = e[key];
  }
  let text;
  try {
    text = JSON.stringify({ errorType, errorMessage, ...extra, stack: trace });
  } catch (_) {
    text = JSON.stringify({ errorType, errorMessage, stack: trace });
  }
  stdout(`${new Date(now()).toISOString()}\t${requestId}\tERROR\t${title}\t${text}\n`);
}

function failInit(e) {
  logError('Uncaught Exception', e);
  const what = describe(e);
  client.send('POST', 'init/error', errorHeaders(what.errorType), JSON.stringify(what), () => process.exit(1));
}

// die reports an error that leaves the process in an unknown state, and ends it.
function die(title, e, code) {
  const invocation = current;
  current = undefined;
  beforeExit = () => {};
  if (!invocation && requestId === undefined) {
    failInit(e);
    return;
  }
  logError(title, e);
  if (!invocation) process.exit(code);
  markOutput(invocation.id);
  const what = describe(e);
  client.send('POST', `invocation/${invocation.id}/error`, errorHeaders(what.errorType), JSON.stringify(what), () => process.exit(code));
}

process.on('uncaughtException', (e) => die('Uncaught Exception', e, 129));
process.on('unhandledRejection', (reason) => {
  const e = new RuntimeError('Runtime.UnhandledPromiseRejection', isError(reason) ? `${reason.name}: ${reason.message}` : String(reason), reason);
  e.reason = isError(reason) ? describe(reason) : reason;
  die('Unhandled Promise Rejection', e, 128);
});
process.on('beforeExit', () => beforeExit());

// ---- Handler -----------------------------------------------------------------------------------------------------

function isFile(name) {
  return fs.statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}

// inModuleScope tells whether the nearest package.json makes .js files ES modules.
function inModuleScope(file) {
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    const manifest = path.join(dir, 'package.json');
    if (isFile(manifest)) {
      try {
        return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
      } catch (_) {
        return false;
      }
    }
    if (dir === path.dirname(dir) || path.basename(dir) === 'node_modules') return false;
  }
}

const importFile = (file) => import(pathToFileURL(file).href);

function requireBundle() {
  const m = new Module(bundleAs, null);
  m.filename = bundleAs;
  m.paths = Module._nodeModulePaths(path.dirname(bundleAs));
  m._compile(fs.readFileSync(bundle, 'utf8'), bundleAs);
  m.loaded = true;
  return m.exports;
}

function loadModule(root, dir, name) {
  if (bundle) {
    process.setSourceMapsEnabled?.(true);
    return bundleAs ? requireBundle() : importFile(bundle);
  }
  const file = path.resolve(root, dir, name);
  if (isFile(file)) return require(file);
  if (isFile(`${file}.js`)) return inModuleScope(`${file}.js`) ? importFile(`${file}.js`) : require(`${file}.js`);
  if (isFile(`${file}.mjs`)) return importFile(`${file}.mjs`);
  if (isFile(`${file}.cjs`)) return require(`${file}.cjs`);
  return require(require.resolve(dir === '' ? name : `./${path.posix.join(dir, name)}`, { paths: [root, path.resolve(root, dir)] }));
}

async function loadHandler() {
  const root = process.env.LAMBDA_TASK_ROOT;
  const full = process.env._HANDLER || '';
  if (full.includes('..')) {
    throw new RuntimeError('Runtime.MalformedHandlerName', `'${full}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const slash = full.lastIndexOf('/');
  const dir = full.slice(0, slash + 1);
  const base = full.slice(slash + 1);
  const dot = base.indexOf('.');
  if (dot < 0) throw new RuntimeError('Runtime.MalformedHandlerName', 'Bad handler');
  let exported;
  try {
    exported = await loadModule(root, dir, base.slice(0, dot));
  } catch (e) {
    if (e instanceof SyntaxError) throw new RuntimeError('Runtime.UserCodeSyntaxError', `SyntaxError: ${e.message}`, e);
    if (e && (e.code === 'MODULE_NOT_FOUND' || e.code === 'ERR_MODULE_NOT_FOUND')) {
      throw new RuntimeError('Runtime.ImportModuleError', `Error: ${e.message}`, e);
    }
    throw e;
  }
  const handler = base.slice(dot + 1).split('.').reduce((at, key) => (at === undefined || at === null ? at : at[key]), exported);
  if (handler === undefined || handler === null) throw new RuntimeError('Runtime.HandlerNotFound', `${full} is undefined or not exported`);
  if (typeof handler !== 'function') throw new RuntimeError('Runtime.HandlerNotFound', `${full} is not a function`);
  return handler;
}

// ---- Invocation --------------------------------------------------------------------------------------------------

const AsyncFunction = (async () => {}).constructor;

function next(handler) {
  client.send('GET', 'invocation/next', {}, undefined, (headers, body, status) => {
    if (status !== 200) process.exit(1);
    invoke(handler, headers, body.toString('utf8'));
  });
}

// answer ends the invocation, once, and asks for the next event in the same write.
function answer(handler, invocation, resource, headers, body) {
  if (current !== invocation) return;
  current = undefined;
  beforeExit = () => {};
  markOutput(invocation.id);
  client.cork();
  client.send('POST', `invocation/${invocation.id}/${resource}`, headers, body, () => {});
  next(handler);
  client.uncork();
}

function succeed(handler, invocation, result) {
  if (current !== invocation) return;
  let body;
  try {
    body = JSON.stringify(result === undefined ? null : result);
  } catch (e) {
    fail(handler, invocation, new RuntimeError('Runtime.UnserializableResponse', `Unable to stringify response body: ${e.message}`, e));
    return;
  }
  answer(handler, invocation, 'response', { 'Content-Type': 'application/json' }, body === undefined ? 'null' : body);
}

function fail(handler, invocation, e) {
  if (current !== invocation) return;
  logError('Invoke Error ', e);
  const what = describe(e);
  answer(handler, invocation, 'error', errorHeaders(what.errorType), JSON.stringify(what));
}

function makeContext(headers, done) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const parse = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  const env = process.env;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parse('lambda-runtime-client-context'),
    identity: parse('lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - now(),
    succeed: (result) => done(null, result),
    fail: (e) => done(e === undefined || e === null ? 'handled' : e),
    done,
  };
}

function invoke(handler, headers, body) {
  const invocation = { id: headers['lambda-runtime-aws-request-id'] };
  current = invocation;
  requestId = invocation.id;
  if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  else delete process.env._X_AMZN_TRACE_ID;

  let decided = false; // only the first completion counts
  const done = (e, result) => {
    if (decided) return;
    decided = true;
    if (e === undefined || e === null) succeed(handler, invocation, result);
    else fail(handler, invocation, e);
  };
  const context = makeContext(headers, done);
  const callback = (e, result) => {
    if (decided) return;
    if (context.callbackWaitsForEmptyEventLoop === false || (e !== undefined && e !== null)) {
      // Not within the handler's own call: what it still does synchronously belongs to this invocation.
      decided = true;
      immediately(() => (e === undefined || e === null ? succeed(handler, invocation, result) : fail(handler, invocation, e)));
      return;
    }
    decided = true;
    beforeExit = () => immediately(() => succeed(handler, invocation, result));
  };
  beforeExit = () => {
    if (handler instanceof AsyncFunction) {
      die('Invoke Error ', new RuntimeError('Runtime.NodeJsExit', 'The event loop is empty and the promise of the handler was never settled'), 1);
      return;
    }
    done(null, undefined);
  };
  let returned;
  try {
    returned = handler(JSON.parse(body), context, callback);
  } catch (e) {
    done(e);
    return;
  }
  if (returned && typeof returned.then === 'function') {
    returned.then(
      (result) => done(null, result),
      (e) => done(e === undefined || e === null ? String(e) : e),
    );
  }
}

loadHandler().then((handler) => {
  markOutput('init');
  next(handler);
}, failInit);
