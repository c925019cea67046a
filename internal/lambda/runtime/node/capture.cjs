'use strict';

// Sends connections to API Gateway's own host names, and to custom domain names, to Cleat. It is preloaded into the Node processes of local
// functions. The redirection sits in Socket.connect, below http, https, http2, tls and fetch: TLS server name, Host
// header and the check of the certificate keep the name that the program asked for. No other host is touched.

const net = require('net');

const HOST = /^[^./]+\.execute-api\.[^./]+\.amazonaws\.com(\.cn)?\.?$/i;
const target = process.env.CLEAT_CAPTURE_ADDR || '';
const colon = target.lastIndexOf(':');
const custom = new Set((process.env.CLEAT_CAPTURE_HOSTS || '').split(',').filter(Boolean));

// Custom domain names may have other servers at other ports.
function captured(host, port) {
  if (HOST.test(host)) return true;
  if (custom.size === 0 || (Number(port) !== 443 && String(port) !== target.slice(colon + 1))) return false;
  const name = host.toLowerCase().replace(/\.$/, '');
  return custom.has(name) || custom.has(name.replace(/^[^.]+/, '*'));
}

function redirect(options) {
  if (!options || typeof options.host !== 'string' || options.path || !captured(options.host, options.port)) return options;
  // A look-up of the caller's own would find AWS.
  return { ...options, host: target.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(target.slice(colon + 1)), lookup: undefined };
}

if (colon > 0) {
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (...args) {
    const first = args[0];
    if (Array.isArray(first)) {
      first[0] = redirect(first[0]); // net.connect and tls.connect hand on arguments that they have sorted already
    } else if (first !== null && typeof first === 'object') {
      args[0] = redirect(first);
    } else if (typeof args[1] === 'string' && captured(args[1], first)) {
      args.splice(0, 2, redirect({ port: first, host: args[1] }));
    }
    return connect.apply(this, args);
  };
}
