'use strict';

// The runtime that Cleat starts for nodejs* functions. It loads the handler, asks the pool for one event after
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
const streams = [process.stdout, process.stderr]; // which a function may replace
const [stdout, stderr] = streams.map((stream) => stream.write.bind(stream));
const now = Date.now;
const immediately = setImmediate;

let requestId; // of the invocation that runs or ran last
let current; // the invocation that has not been answered yet, else undefined
let beforeExit = () => {}; // what an empty event loop means for the current invocation

// ---- Channel -----------------------------------------------------------------------------------------------------

// The pool's channel (channel.go has its words) on a plain socket: code that instruments or mocks Node's http module must
// not see these calls. The socket keeps the process alive only while an event or a goodbye is awaited, so that an empty
// event loop is noticed.
class Channel {
  constructor(address, file) {
    const slash = address.indexOf('/');
    const host = address.slice(0, slash);
    const colon = host.lastIndexOf(':');
    this.room = Buffer.allocUnsafeSlow(64 << 10); // what arrives lies here, until the next bytes do
    this.parts = []; // of what has arrived in part
    this.size = 0; // of the parts
    this.need = 0; // bytes that a whole event has, 0 while its line is incomplete
    this.open = false; // the answer to the upgrade was read
    this.code = 1; // for the exit: without its channel a worker has nothing left to live for
    this.socket = net.connect({
      ...(file ? { path: file } : { host: host.slice(0, colon), port: Number(host.slice(colon + 1)), noDelay: true }),
      onread: {
        buffer: this.room,
        callback: (n) => {
          this.received(this.room.subarray(0, n));
          return true;
        },
      },
    });
    this.socket.on('error', () => process.exit(this.code));
    this.socket.on('close', () => process.exit(this.code));
    this.socket.write(`GET ${address.slice(slash)}/channel HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: cleat\r\n\r\n`);
    this.socket.unref();
  }

  // answer says how an invocation or the start went, and asks for the next event in the same write.
  answer(words, body, done) {
    this.done = done;
    this.socket.ref();
    this.socket.write(`${words}${body}next\n`);
  }

  // leave says the last words and ends the process once they were read.
  leave(words, body, code) {
    this.code = code;
    this.socket.ref();
    this.socket.write(`${words}${body}bye\n`);
  }

  received(chunk) {
    if (this.size > 0 || this.need > chunk.length) {
      this.parts.push(Buffer.from(chunk)); // a copy
      this.size += chunk.length;
      if (this.size < this.need) return;
      chunk = Buffer.concat(this.parts);
      this.parts = [];
      this.size = 0;
    }
    if (!this.open) {
      const end = chunk.indexOf('\r\n\r\n');
      if (end >= 0) {
        if (chunk.latin1Slice(9, 12) !== '101') process.exit(1);
        this.open = true;
        chunk = chunk.subarray(end + 4);
      }
    }
    if (chunk.length === 0) return;
    const end = this.open ? chunk.indexOf(10) : -1;
    let length = 0;
    if (end >= 0) {
      const head = JSON.parse(chunk.utf8Slice(0, end));
      length = end + 1 + head.length;
      if (chunk.length >= length) {
        this.need = 0;
        this.socket.unref();
        this.done(head, chunk.utf8Slice(end + 1, length));
        return; // nothing comes unasked
      }
    }
    this.need = length;
    this.parts.push(Buffer.from(chunk));
    this.size = chunk.length;
  }
}

// By the path that Cleat gave, which links do not make longer than a socket's may be.
const socketFile = path.resolve(process.argv[1], '..', '..', '..', 'api');
const client = new Channel(process.env.AWS_LAMBDA_RUNTIME_API, process.platform !== 'win32' && fs.existsSync(socketFile) ? socketFile : '');

// ---- Console -----------------------------------------------------------------------------------------------------

// endOutput makes sure that Cleat has all output of the invocation, or of the start, before it hears what follows, and
// says what is to be said of it. What is written lies in the pipes, unless one is full: then it is waited for. Where Cleat
// cannot look into them, a line that begins with NUL tells where it ends, on both streams.
function endOutput(id, say) {
  if (process.platform === 'win32') {
    stdout(`\0${id}\n`);
    stderr(`\0${id}\n`);
    say('');
    return;
  }
  const full = [stdout, stderr].filter((_, i) => streams[i].writableLength > 0);
  if (full.length === 0) say('written\n');
  let left = full.length;
  for (const write of full) {
    write('', () => {
      if (--left === 0) say('written\n');
    });
  }
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

// words begin what is said of an invocation, or of the start (init).
const words = (kind, id, body, type = '') => `${kind} ${id} ${Buffer.byteLength(body)} ${type.slice(0, 256).replace(/[^\x20-\x7e]/g, '_')}\n`;

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
  const body = JSON.stringify(what);
  client.leave(words('error', 'init', body, what.errorType), body, 1);
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
  const what = describe(e);
  const body = JSON.stringify(what);
  endOutput(invocation.id, (ended) => client.leave(ended + words('error', invocation.id, body, what.errorType), body, code));
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

const env = { ...process.env }; // what the handler is told of itself does not change
const AsyncFunction = (async () => {}).constructor;

// answer ends the invocation, once, and asks for the next event.
function answer(handler, invocation, kind, body, type) {
  if (current !== invocation) return;
  current = undefined;
  beforeExit = () => {};
  endOutput(invocation.id, (ended) => {
    client.answer(ended + words(kind, invocation.id, body, type), body, (head, event) => invoke(handler, head, event));
  });
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
  answer(handler, invocation, 'response', body === undefined ? 'null' : body);
}

function fail(handler, invocation, e) {
  if (current !== invocation) return;
  logError('Invoke Error ', e);
  const what = describe(e);
  answer(handler, invocation, 'error', JSON.stringify(what), what.errorType);
}

function makeContext(head, done) {
  const { deadline } = head;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: head.context ? JSON.parse(head.context) : undefined,
    identity: undefined, // of Cognito's users
    invokedFunctionArn: head.arn,
    awsRequestId: head.id,
    tenantId: undefined,
    getRemainingTimeInMillis: () => deadline - now(),
    succeed: (result) => done(null, result),
    fail: (e) => done(e === undefined || e === null ? 'handled' : e),
    done,
  };
}

function invoke(handler, head, body) {
  const invocation = { id: head.id };
  current = invocation;
  requestId = invocation.id;
  process.env._X_AMZN_TRACE_ID = head.trace;

  let decided = false; // only the first completion counts
  const done = (e, result) => {
    if (decided) return;
    decided = true;
    if (e === undefined || e === null) succeed(handler, invocation, result);
    else fail(handler, invocation, e);
  };
  const context = makeContext(head, done);
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
  endOutput('init', (ended) => client.answer(ended, '', (head, event) => invoke(handler, head, event)));
}, failInit);
