"""A proxy between a client and its server that cuts connections."""

import contextlib
import socket
import threading


class Proxy:
    """Cuts each of the first `cuts` connections once `after` bytes have come from the server.

    Behind the first of them it closes `refuse` connections at once. With `hold` it passes no more on instead, until
    the server ends the connection."""

    def __init__(self, server, after, cuts=1, refuse=0, hold=False):
        self.server, self.after, self.cuts, self.refuse, self.hold = server, after, cuts, refuse, hold
        self.held = threading.Event()
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                self.connections += 1
                if 1 < self.connections <= 1 + self.refuse:
                    client.close()
                    continue
                try:
                    upstream = socket.create_connection((self.server["MYSQL_HOST"], int(self.server["MYSQL_PORT"])))
                except OSError:
                    client.close()
                    continue
                for ends in ((client, upstream, None), (upstream, client, self.limit())):
                    threading.Thread(target=self.pump, args=ends, daemon=True).start()

    def limit(self):
        """Bytes that come from the server before the newest connection is cut, or None."""
        return self.after if self.connections <= self.cuts + self.refuse else None

    def pump(self, source, target, limit):
        with contextlib.suppress(OSError):
            while data := source.recv(min(65536, limit) if limit else 65536):
                target.sendall(data)
                if limit is None:
                    continue
                limit -= len(data)
                if limit == 0 and self.hold:
                    self.held.set()
                    while source.recv(65536):
                        pass
                if limit == 0:
                    break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
