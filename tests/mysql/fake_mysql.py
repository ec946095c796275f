"""A scripted MySQL server, for what a MariaDB server cannot be brought to. Written from MySQL's description of its
protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html

    with fake_mysql(script) as fake: … connect to 127.0.0.1 (or `address`), fake.port …

`script(connection)` runs in a thread for each connection. What it raises is kept in fake.problems.
"""

import contextlib
import hashlib
import os
import socket
import ssl
import struct
import subprocess
import threading

LONG_PASSWORD = 1 << 0  # a MySQL server: MariaDB's leave it out
CONNECT_WITH_DB = 1 << 3
PROTOCOL_41 = 1 << 9
SSL = 1 << 11
TRANSACTIONS = 1 << 13
SECURE_CONNECTION = 1 << 15
MULTI_RESULTS = 1 << 17
PLUGIN_AUTH = 1 << 19
CONNECT_ATTRS = 1 << 20
LENENC_AUTH = 1 << 21
CAPABILITIES = (LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION |
                MULTI_RESULTS | PLUGIN_AUTH | CONNECT_ATTRS | LENENC_AUTH)

COM_QUIT, COM_QUERY, COM_STMT_PREPARE, COM_STMT_EXECUTE, COM_STMT_CLOSE = 0x01, 0x03, 0x16, 0x17, 0x19
LONGLONG = 8
UTF8MB4 = 45

FAST_AUTH_SUCCESS, FULL_AUTHENTICATION, REQUEST_PUBLIC_KEY = 3, 4, 2


class Gone(Exception):
    """The client closed the connection."""


def length_encoded(data):
    assert len(data) < 251
    return bytes([len(data)]) + data


class Connection:
    def __init__(self, sock):
        self.sock, self.sequence, self.received, self.encrypted = sock, 0, b"", False

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise Gone()
            self.received += piece
            data += piece
        return data

    def read(self):
        header = self._exactly(4)
        self.sequence = (header[3] + 1) & 255
        return self._exactly(int.from_bytes(header[:3], "little"))

    def write(self, payload, pieces=1):
        """`pieces`: how many parts it is sent in, a moment apart."""
        packet = len(payload).to_bytes(3, "little") + bytes([self.sequence]) + payload
        size = -(-len(packet) // pieces)
        for at in range(0, len(packet), size):
            if at > 0:
                threading.Event().wait(0.05)
            self.sock.sendall(packet[at:at + size])
        self.sequence = (self.sequence + 1) & 255

    def ok(self):
        self.write(b"\0\0\0\x02\0\0\0")

    def end(self, warnings=0):
        self.write(b"\xfe" + struct.pack("<HH", warnings, 2))

    def error(self, code, state, message):
        self.write(b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + message.encode())

    def greet(self, plugin="caching_sha2_password", capabilities=CAPABILITIES, version="8.0.36", pieces=1):
        """Protocol::HandshakeV10."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.nonce = bytes(byte % 126 + 1 for byte in os.urandom(20))
        self.sequence = 0
        self.write(b"\x0a" + version.encode() + b"\0" + struct.pack("<I", 7) + self.nonce[:8] + b"\0" +
                   struct.pack("<HBHH", capabilities & 0xffff, UTF8MB4, 2, capabilities >> 16) +
                   bytes([21]) + bytes(10) + self.nonce[8:] + b"\0" + plugin.encode() + b"\0", pieces)

    def start_tls(self, context):
        """After an SSLRequest."""
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.encrypted = True

    def login(self, tls=None):
        """Protocol::HandshakeResponse41, after an SSLRequest if there is a TLS context; → user, auth data, plug-in."""
        packet = self.read()
        if len(packet) == 32:
            assert tls is not None, "TLS was asked for and not offered"
            self.start_tls(tls)
            packet = self.read()
        flags = struct.unpack_from("<I", packet)[0]
        assert flags & PROTOCOL_41 and flags & PLUGIN_AUTH, hex(flags)
        user, rest = packet[32:].split(b"\0", 1)
        data, rest = rest[1:1 + rest[0]], rest[1 + rest[0]:]
        if flags & CONNECT_WITH_DB:
            _, rest = rest.split(b"\0", 1)
        return user.decode(), data, rest.split(b"\0", 1)[0].decode()

    def switch(self, plugin):
        """Protocol::AuthSwitchRequest; → the answer."""
        self.write(b"\xfe" + plugin.encode() + b"\0" + self.nonce + b"\0")
        return self.read()

    def authenticate(self, data, password, cached, key=None):
        """caching_sha2_password after its first answer `data`, as MySQL documents it
        (page_caching_sha2_authentication_exchanges). `cached`: the server knows the account's hash. True: it is the one."""
        once = hashlib.sha256(password.encode()).digest()
        mask = hashlib.sha256(hashlib.sha256(once).digest() + self.nonce).digest()
        right = data == bytes(a ^ b for a, b in zip(once, mask))
        if cached and right:
            self.write(bytes([1, FAST_AUTH_SUCCESS]))
            return True
        self.write(bytes([1, FULL_AUTHENTICATION]))
        answer = self.read()
        if self.encrypted:
            return answer == password.encode() + b"\0"
        assert answer == bytes([REQUEST_PUBLIC_KEY]), answer
        self.write(b"\x01" + openssl("pkey", "-in", key, "-pubout"))
        plain = openssl("pkeyutl", "-decrypt", "-inkey", key, "-pkeyopt", "rsa_padding_mode:oaep",
                        data=self.read())
        return bytes(c ^ self.nonce[i % 20] for i, c in enumerate(plain)) == password.encode() + b"\0"

    def definition(self, name):
        fields = [b"def", b"", b"", b"", name.encode(), b""]
        self.write(b"".join(map(length_encoded, fields)) +
                   struct.pack("<BHIBHBH", 12, 63, 20, LONGLONG, 0, 0, 0))

    def serve(self, name="n", numbers=(), error=None, breaks=False, warnings=0, gone_for=None):
        """Takes commands until the client quits: a prepared statement gets a BIGINT column of `numbers`, then the
        error (code, state, message) if there is one, or the connection breaks; at the end stands how many warnings there
        were. At the text `gone_for` the connection breaks. → the statements' texts."""
        texts = []
        while True:
            self.sequence = 0
            try:
                packet = self.read()
            except Gone:
                return texts
            command, body = packet[0], packet[1:]
            if command == COM_QUIT:
                return texts
            if command in (COM_QUERY, COM_STMT_PREPARE):
                texts.append(body.decode())
                if texts[-1] == gone_for:
                    return texts
            if command == COM_QUERY:
                self.ok()
            elif command == COM_STMT_PREPARE:
                self.write(b"\0" + struct.pack("<IHHBH", 1, 1, 0, 0, 0))
                self.definition(name)
                self.end()
            elif command == COM_STMT_EXECUTE:
                self.write(b"\x01")
                self.definition(name)
                self.end()
                for number in numbers:
                    self.write(b"\0\0" + struct.pack("<q", number))
                if breaks:
                    return texts
                self.error(*error) if error else self.end(warnings)
            elif command != COM_STMT_CLOSE:
                raise AssertionError(f"command {command}")


class Fake:
    def __init__(self):
        self.problems, self.connections, self.port = [], [], None


@contextlib.contextmanager
def fake_mysql(script, address="127.0.0.1"):
    fake, stopped = Fake(), threading.Event()
    listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    fake.port = listener.getsockname()[1]

    def talk(sock):
        connection = Connection(sock)
        fake.connections.append(connection)
        try:
            script(connection)
        except Gone:
            pass
        except Exception as problem:  # shown by the test
            if not stopped.is_set():
                fake.problems.append(problem)
        finally:
            connection.sock.close()

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield fake
    finally:
        stopped.set()
        listener.close()
        for connection in fake.connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)


# Keys and certificates.

def openssl(*arguments, data=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def make_authority(folder, name):
    """folder/NAME.pem and folder/NAME.key: a certificate authority of its own."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")


def make_certificate(folder, name, authority, names="DNS:db.example.com"):
    """folder/NAME.pem and folder/NAME.key, signed by the authority, for `names`."""
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-days", 2, "-in", folder / f"{name}.csr", "-CA", folder / f"{authority}.pem",
            "-CAkey", folder / f"{authority}.key", "-CAcreateserial", "-extfile", folder / f"{name}.ext",
            "-out", folder / f"{name}.pem")


def tls_context(folder, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context
