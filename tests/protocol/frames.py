"""Frames and messages of docs/protocol.md, in Python: what worker.py and the test vectors use."""

import math
import struct
import time

import msgpack

HEADER = struct.Struct(">IIQ")
MAXIMUM_MESSAGE = 16 * 1024 * 1024
MAXIMUM_BODY = 1024 * 1024
MAXIMUM_DEPTH = 32
MAXIMUM_VALUES = 1048576
MAP_VALUES, ARRAY_VALUES, KEY_VALUES = 8, 4, 1
SIGN_BYTES = 16 * 1024  # of a frame: a sign of life, as a whole one is


class Violation(Exception):
    """The peer does not keep to the protocol."""


def encode(message):
    return msgpack.packb(message, use_bin_type=True)


def _pairs(pairs):
    result = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise Violation("a key is not a string")
        if key in result:
            raise Violation("a map has a key twice")
        result[key] = value
    return result


def _check(value, depth, left):
    """Rules of values that msgpack does not know; returns how many more values there may be."""
    left -= (MAP_VALUES + KEY_VALUES * len(value) if isinstance(value, dict)
             else ARRAY_VALUES if isinstance(value, list) else 1)
    if depth > MAXIMUM_DEPTH or left < 0:
        raise Violation("a message is too deep or has too many values")
    if isinstance(value, dict):
        for key, member in value.items():
            _check_text(key)
            left = _check(member, depth + 1, left)
    elif isinstance(value, list):
        for member in value:
            left = _check(member, depth + 1, left)
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Violation("a number is not finite")
    elif value is not None and not isinstance(value, (bool, int)):
        raise Violation("a value is of a type that messages do not have")
    return left


def _check_text(text):
    if "\0" in text:
        raise Violation("a string has a NUL byte")


def decode(payload):
    try:
        message = msgpack.unpackb(payload, raw=False, strict_map_key=False, object_pairs_hook=_pairs)
    except Violation:
        raise
    except Exception as reason:  # msgpack's errors have no base of their own
        raise Violation(f"not msgpack: {reason}")
    if not isinstance(message, dict):
        raise Violation("a message is not a map")
    _check(message, 1, MAXIMUM_VALUES)
    return message


def encode_frame(sequence, payload, body=b""):
    return HEADER.pack(len(payload), len(body), sequence) + payload + body


def decode_header(header, expected):
    message_length, body_length, sequence = HEADER.unpack(header)
    if not 1 <= message_length <= MAXIMUM_MESSAGE:
        raise Violation("a message is empty or too long")
    if body_length > MAXIMUM_BODY:
        raise Violation("a body is too long")
    if sequence != expected:
        raise Violation(f"a frame has number {sequence} instead of {expected}")
    return message_length, body_length


def decode_frame(data, expected):
    """The message and the body of one whole frame."""
    if len(data) < HEADER.size:
        raise Violation("a header is cut short")
    message_length, body_length = decode_header(data[:HEADER.size], expected)
    if len(data) != HEADER.size + message_length + body_length:
        raise Violation("a frame has another length than its header says")
    end = HEADER.size + message_length
    return decode(data[HEADER.size:end]), data[end:]


class Channel:
    """Frames over a connected socket. Any thread may send; one receives, and calls `wait`, if it is set, before it reads."""

    def __init__(self, connection, lock, wait=None):
        self.connection = connection
        self.lock = lock
        self.wait = wait
        self.sent = self.received = 0
        self.hear()

    def hear(self):
        """The last sign of life was now."""
        self.heard, self.unheard = time.monotonic(), 0

    def send(self, message, body=b""):
        payload = encode(message)
        with self.lock:
            self.sent += 1
            self.connection.sendall(encode_frame(self.sent, payload, body))

    def _read(self, length, may_end=False):
        parts = []
        while length > 0:
            if self.wait:
                self.wait()
            part = self.connection.recv(min(length, 65536))
            if not part:
                if may_end and not parts:
                    return None
                raise Violation("the channel ended inside a frame")
            parts.append(part)
            length -= len(part)
            self.unheard += len(part)
            if self.unheard >= SIGN_BYTES:
                self.hear()
        return b"".join(parts)

    def receive(self):
        """The next message and its body; None at the end."""
        header = self._read(HEADER.size, may_end=True)
        if header is None:
            return None
        message_length, body_length = decode_header(header, self.received + 1)
        message = decode(self._read(message_length))
        body = self._read(body_length)
        self.received += 1
        self.hear()
        return message, body
