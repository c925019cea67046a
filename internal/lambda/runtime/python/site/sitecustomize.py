"""Sends connections to API Gateway's own host names, and to custom domain names, to Cleat.

Python loads this file when it starts, since its folder comes first in PYTHONPATH. The redirection sits in the look-up
of addresses: TLS server name, Host header and the check of the certificate keep the name that the program asked for.
No other host is touched. A sitecustomize of the user's own is run afterwards.
"""


def _capture():
    import os
    import re
    import socket

    cleat_host, _, cleat_port = os.environ.get("CLEAT_CAPTURE_ADDR", "").rpartition(":")
    if not cleat_port.isdigit():
        return
    cleat = (cleat_host.strip("[]"), int(cleat_port))
    custom = {name for name in os.environ.get("CLEAT_CAPTURE_HOSTS", "").split(",") if name}
    captured = re.compile(r"[^./]+\.execute-api\.[^./]+\.amazonaws\.com(\.cn)?\.?", re.IGNORECASE).fullmatch
    getaddrinfo, connect, connect_ex = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex

    def is_captured(name, port):
        if isinstance(name, (bytes, bytearray)):
            name = bytes(name).decode("ascii", "replace")
        if not isinstance(name, str):
            return False
        if captured(name) is not None:
            return True
        # Custom domain names may have other servers at other ports.
        if not custom or str(port) not in ("443", "https", cleat_port):
            return False
        name = name.lower().rstrip(".")
        return name in custom or "*." + name.partition(".")[2] in custom

    def lookup(host, port, family=0, type=0, proto=0, flags=0):
        if is_captured(host, port):
            (host, port), family = cleat, 0
        return getaddrinfo(host, port, family, type, proto, flags)

    def redirect(address):
        if isinstance(address, tuple) and len(address) >= 2 and is_captured(address[0], address[1]):
            return cleat + address[2:]
        return address

    def connect_(self, address):
        return connect(self, redirect(address))

    def connect_ex_(self, address):
        return connect_ex(self, redirect(address))

    lookup.__name__, connect_.__name__, connect_ex_.__name__ = "getaddrinfo", "connect", "connect_ex"
    socket.getaddrinfo = lookup
    socket.socket.connect = connect_
    socket.socket.connect_ex = connect_ex_


def _chain():
    import importlib.machinery
    import importlib.util
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))
    others = [p for p in sys.path if os.path.abspath(p or os.getcwd()) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _capture()
finally:
    _chain()
