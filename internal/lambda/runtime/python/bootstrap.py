"""The runtime that Cleat starts for python3.* functions.

It loads the handler, asks the pool for one event after the other and keeps the contract of AWS's own runtime:
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


class Channel:
    """The pool's channel (channel.go has its words) on a plain socket: code that patches http.client must not see these calls."""

    def __init__(self, address):
        host, _, secret = address.partition("/")
        path = os.path.normpath(os.path.join(os.path.abspath(__file__), "..", "..", "..", "api"))
        if hasattr(socket, "AF_UNIX") and os.path.exists(path):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(path)
        else:
            name, _, port = host.rpartition(":")
            self.socket = socket.create_connection((name, int(port)))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        upgrade = "GET /%s/channel HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: cleat\r\n\r\n" % (secret, host)
        self.socket.sendall(upgrade.encode("latin-1"))
        if not self.file.readline().startswith(b"HTTP/1.1 101 "):
            os._exit(1)
        while self.file.readline().strip():
            pass

    def next(self, answer):
        """Gives the answer to the last event and waits for the next: what is told of it, and its payload."""
        try:
            self.socket.sendall(answer + b"next\n")
            line = self.file.readline()
            if line:
                head = json.loads(line)
                return head, self.file.read(head["length"])
        except OSError:
            pass
        os._exit(1)  # without its channel a worker has nothing left to live for

    def leave(self, answer):
        """Says the last words, and returns once they were read."""
        try:
            self.socket.sendall(answer + b"bye\n")
            self.file.read()
        except OSError:
            os._exit(1)


def words(kind, invocation_id, body, error_type=""):
    """What is said of an invocation, or of the start (init)."""
    head = "%s %s %d %s\n" % (kind, invocation_id, len(body), error_type)
    return head.encode("ascii", "replace") + body


def report(invocation_id, error):
    kind = "".join(c if " " <= c <= "~" else "_" for c in error["errorType"][:256])
    return words("error", invocation_id, json.dumps(error).encode("utf-8"), kind)


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


def end_output(mark_id):
    """Makes sure that Cleat has all output of the invocation, or of the start, before it hears what follows.

    Returns what is to be said of it: that the output lies in the pipes. Where Cleat cannot look into them, a line that begins
    with NUL tells where it ends, on both streams.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # replaced by something else, or closed
            pass
    if os.name == "posix":
        return b"written\n"
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"\0" + mark_id.encode() + b"\n")
        except OSError:  # closed by the function
            pass
    return b""


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

    def __init__(self, head):
        env = os.environ
        self.aws_request_id = head["id"]
        self.log_group_name = env.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = env.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = env.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = head["arn"]
        self.tenant_id = None
        client = head.get("context")
        self.client_context = ClientContext(json.loads(client)) if client else None
        self.identity = CognitoIdentity({})
        self._deadline = head["deadline"]

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
        return result
    try:
        # A lone surrogate of the function's cannot be encoded; the escaped form can.
        try:
            return json.dumps(result, default=encode_unknown, ensure_ascii=escape).encode("utf-8")
        except UnicodeEncodeError:
            return json.dumps(result, default=encode_unknown).encode("utf-8")
    except Exception as e:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e) from e


def invoke(handler, head, body, escape):
    """Runs the handler, and returns what is said of it."""
    os.environ["_X_AMZN_TRACE_ID"] = head["trace"]
    try:
        try:
            event = json.loads(body)
        except Exception as e:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e) from e
        answer = words("response", request_id, encode(handler(event, Context(head)), escape))
    except Exception as e:
        error = describe(e)
        log_error(error)
        answer = report(request_id, error)
    return end_output(request_id) + answer


def main():
    global request_id
    channel = Channel(os.environ["AWS_LAMBDA_RUNTIME_API"])
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
        channel.leave(report("init", error))
        sys.exit(1)
    answer = end_output("init")
    while True:
        head, body = channel.next(answer)
        request_id = head["id"]
        answer = invoke(handler, head, body, escape)


main()
