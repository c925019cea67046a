"""The runtime that Cleat starts for python3.* functions.

It loads the handler, asks the Runtime API for one event after the other and keeps the contract of AWS's own runtime:
how a handler is named, what it gets and may return, the shapes of errors, exit codes and the format of log lines.
"""

import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback

request_id = None


class Fault(Exception):
    """A failure with the error type that AWS gives it, and a stack trace of its own."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class Client:
    """A lean HTTP client on a plain socket: code that patches http.client must not see these calls."""

    def __init__(self, address):
        self.host, _, prefix = address.partition("/")
        self.prefix = ("/" + prefix if prefix else "") + "/2018-06-01/runtime/"
        host, _, port = self.host.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def call(self, method, resource, body=b"", headers=()):
        head = "%s %s%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n" % (method, self.prefix, resource, self.host, len(body))
        head += "".join("%s: %s\r\n" % h for h in headers)
        try:
            self.socket.sendall(head.encode("latin-1") + b"\r\n" + body)
            return self.read()
        except OSError:
            os._exit(1)  # without its Runtime API a worker has nothing left to live for

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the Runtime API closed the connection")
        status = int(line.split()[1])
        headers = {}
        while True:
            line = self.file.readline().strip()
            if not line:
                break
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers.get("content-length", 0)))

    def report(self, resource, error):
        kind = error["errorType"].encode("ascii", "replace").decode()
        body = json.dumps(error).encode("utf-8")
        self.call("POST", resource, body, [("Content-Type", "application/json"), ("Lambda-Runtime-Function-Error-Type", kind)])


class LogFormatter(logging.Formatter):
    converter = time.gmtime

    def format(self, record):
        record.aws_request_id = request_id or ""
        return super().format(record)


class Stdout:
    """sys.stdout as it is at the moment of writing: functions and test tools replace it."""

    def write(self, text):
        sys.stdout.write(text)

    def flush(self):
        sys.stdout.flush()


def set_up_logging():
    handler = logging.StreamHandler(Stdout())
    handler.setFormatter(
        LogFormatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    logging.getLogger().addHandler(handler)


def mark_output(mark_id):
    """Tells Cleat that all output of the invocation, or of the start, came before: a line that begins with NUL on both streams."""
    mark = b"\0" + mark_id.encode() + b"\n"
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except Exception:  # replaced by something else, or closed
            pass
        try:
            os.write(descriptor, mark)
        except OSError:  # closed by the function
            pass


class CognitoIdentity:
    def __init__(self, values):
        self.cognito_identity_id = values.get("cognitoIdentityId")
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")


class MobileClient:
    def __init__(self, values):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, values.get(name))


class ClientContext:
    def __init__(self, values):
        self.custom = values.get("custom")
        self.env = values.get("env")
        self.client = MobileClient(values["client"]) if values.get("client") else None


class Context:
    """The second argument of a handler."""

    def __init__(self, headers):
        env = os.environ
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = env.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = env.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = env.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        client = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(client)) if client else None
        identity = headers.get("lambda-runtime-cognito-identity")
        self.identity = CognitoIdentity(json.loads(identity) if identity else {})
        self._deadline = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, msg):
        sys.stdout.write(str(msg))
        sys.stdout.flush()

    def __repr__(self):
        return "LambdaContext([aws_request_id=%s,function_name=%s,function_version=%s,memory_limit_in_mb=%s])" % (
            self.aws_request_id,
            self.function_name,
            self.function_version,
            self.memory_limit_in_mb,
        )


def load_handler(name):
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, e)) from None
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % module_name)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, e), user_frames(e)) from e
    except SyntaxError as e:
        at = '  File "%s", line %s\n    %s' % (e.filename, e.lineno, (e.text or "").strip())
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, e), [at]) from e
    try:
        return getattr(module, function_name)
    except AttributeError as e:
        raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function_name, module_name)) from e


def user_frames(e):
    """The stack trace of an exception from the function's own code on."""
    frames = traceback.extract_tb(e.__traceback__)
    own = [f for f in frames if f.filename != __file__ and not f.filename.startswith("<frozen importlib")]
    for i, f in enumerate(own):
        if not f.filename.endswith(os.path.join("importlib", "__init__.py")):
            return traceback.format_list(own[i:])
    return []


def describe(e, trace=None):
    kind = e.kind if isinstance(e, Fault) else type(e).__name__
    if trace is None:
        trace = e.trace if isinstance(e, Fault) else user_frames(e)
    return {"errorMessage": str(e), "errorType": kind, "requestId": request_id or "", "stackTrace": trace}


def log_error(error):
    lines = ["[ERROR] %s: %s" % (error["errorType"], error["errorMessage"])]
    if error["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines.extend(entry.rstrip("\n") for entry in error["stackTrace"])
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def encode_unknown(value):
    decimal = sys.modules.get("decimal")
    if decimal and isinstance(value, decimal.Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def encode(result, escape):
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        # A lone surrogate of the function's cannot be encoded; the escaped form can.
        try:
            return json.dumps(result, default=encode_unknown, ensure_ascii=escape).encode("utf-8"), "application/json"
        except UnicodeEncodeError:
            return json.dumps(result, default=encode_unknown).encode("utf-8"), "application/json"
    except Exception as e:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e) from e


def invoke(client, handler, headers, body, escape):
    trace_id = headers.get("lambda-runtime-trace-id")
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        try:
            event = json.loads(body)
        except Exception as e:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e) from e
        payload, content_type = encode(handler(event, Context(headers)), escape)
    except Exception as e:
        error = describe(e)
        log_error(error)
        mark_output(request_id)
        client.report("invocation/%s/error" % request_id, error)
        return
    mark_output(request_id)
    client.call("POST", "invocation/%s/response" % request_id, payload, [("Content-Type", content_type)])


def main():
    global request_id
    client = Client(os.environ["AWS_LAMBDA_RUNTIME_API"])
    root = os.environ["LAMBDA_TASK_ROOT"]
    sys.path[0] = root  # in place of this file's own folder
    sys.argv = [sys.argv[0]]
    set_up_logging()
    version = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python3.")[2]
    escape = version.isdigit() and int(version) < 12  # from 3.12 on text is not escaped
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except Exception as e:
        error = describe(e)
        log_error(error)
        client.report("init/error", error)
        sys.exit(1)
    mark_output("init")
    while True:
        status, headers, body = client.call("GET", "invocation/next")
        if status != 200:
            sys.exit(1)
        request_id = headers["lambda-runtime-aws-request-id"]
        invoke(client, handler, headers, body, escape)


main()
