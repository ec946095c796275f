"""Streams between places (docs/protocol.md, "Streams"): what worker.py adds to its queues when an edge's other end is elsewhere.
Rows are tuples of an integer and a text, so the only columns are int64 and utf8."""

import struct
import threading

import frames
from batches import MINIMUM_PART, weight

COLUMNS = (("id", "l"), ("text", "u"))
ALIGNMENT = 64


class Closed(Exception):
    """The reader wants no more."""


def pad(body):
    body += b"\0" * (-len(body) % ALIGNMENT)


def encode(rows):
    """(data, body) of a batch."""
    texts = [text.encode() for _, text in rows]
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text))
    body, buffers = bytearray(), [0, 0, 0, 0]  # validity of the struct and of the first column: not needed
    for number, content in enumerate((struct.pack(f"<{len(rows)}q", *(id for id, _ in rows)), None,
                                      struct.pack(f"<{len(ends)}i", *ends), b"".join(texts))):
        if content:
            pad(body)
            buffers += [len(body), len(content)]
            body += content
        else:
            buffers += [0, 0]
    return {"body": len(body), "nodes": [len(rows), 0, 0] * 3, "buffers": buffers}, bytes(body)


def check(true, what):
    if not true:
        raise frames.Violation(what)


def is_valid(bitmap, offset, index):
    return not bitmap or bitmap[(offset + index) // 8] >> (offset + index) % 8 & 1


def decode(data, body):
    """The rows of a batch. Only these two columns, in this order, without codec."""
    nodes, numbers = data["nodes"], data["buffers"]
    check("codec" not in data and len(nodes) == 9 and len(numbers) == 12, "a batch has another shape")
    parts = []
    for place, length in zip(numbers[::2], numbers[1::2]):
        check(place % ALIGNMENT == 0 and 0 <= length <= len(body) - place, "a buffer lies outside of its body")
        parts.append(body[place:place + length])
    count, (id_offset, text_offset) = nodes[0], (nodes[5], nodes[8])
    check(nodes[3] == nodes[6] == count and count >= 0 and 0 <= id_offset < 8 and 0 <= text_offset < 8, "nodes do not fit")
    check(len(parts[2]) >= 8 * (count + id_offset) and (count == 0 or len(parts[4]) >= 4 * (count + text_offset + 1)),
          "a buffer is too short")
    ids = struct.unpack_from(f"<{count}q", parts[2], 8 * id_offset)
    ends = struct.unpack_from(f"<{count + 1}i", parts[4], 4 * text_offset) if count else (0,)
    # What lies before the first offset did not travel.
    first = struct.unpack_from("<i", parts[4])[0] if count else 0
    rows = []
    for index in range(count):
        start, end = ends[index] - first, ends[index + 1] - first
        check(0 <= start <= end <= len(parts[5]), "offsets do not ascend within their data")
        rows.append((ids[index] if is_valid(parts[1], id_offset, index) else None,
                     parts[5][start:end].decode() if is_valid(parts[3], text_offset, index) else None))
    return rows


class Output:
    """The producer's end; used like a queue."""

    def __init__(self, channel, window):
        self.channel, self.window, self.stream = channel, window, None
        self.changed = threading.Condition()

    def open(self, stream):
        self.credit, self.closed, self.cancelled, self.stream = 0, False, False, stream
        children = [{"format": format, "name": name, "flags": 2} for name, format in COLUMNS]
        self.say("schema", schema={"format": "+s", "children": children})

    def say(self, type, content=b"", **data):
        self.channel.send({"type": type, "data": {"stream": self.stream, **data}}, content)

    def set(self, name):
        """"ended" after the last batch, "cancelled", or "closed" when the reader says so."""
        if name == "ended":
            self.say("end")
            return
        with self.changed:
            setattr(self, name, True)
            self.changed.notify_all()

    def renew(self):
        self.stream = None

    def give(self, credit):
        with self.changed:
            check(0 < credit <= self.window - self.credit, "a stream has more credit than room in its queue")
            self.credit += credit
            self.changed.notify_all()

    def put(self, rows, cancelled):
        with self.changed:
            while self.credit <= 0 and not (self.closed or self.cancelled):
                self.changed.wait()
            if self.cancelled:
                raise cancelled()
            if self.closed:
                return False
            data, body = encode(rows)
            self.credit -= weight(data)
        self.say("batch", body[:frames.MAXIMUM_BODY], **data)
        for start in range(frames.MAXIMUM_BODY, len(body), frames.MAXIMUM_BODY):
            self.say("more", body[start:start + frames.MAXIMUM_BODY])
        return True


class Input:
    """The reader's end: fills a queue that never makes the channel wait; credit bounds what is in it."""

    def __init__(self, channel, queue, window, elastic):
        self.channel, self.queue, self.window, self.elastic, self.stream = channel, queue, window, elastic, None

    def open(self, stream):
        self.stream, self.credit, self.schema, self.ended, self.header, self.body = stream, 0, False, False, None, b""
        self.give(self.window)

    def say(self, type, **data):
        self.channel.send({"type": type, "data": {"stream": self.stream, **data}})

    def give(self, credit):
        self.credit += credit
        self.say("credit", bytes=credit)

    def take(self, type, data, body):
        check(not self.ended, "a stream continues after its end")
        if type == "schema":
            formats = tuple((child["name"], child["format"]) for child in data["schema"].get("children", []))
            check(not self.schema, "a stream has two schemas")
            check(formats == COLUMNS, "this worker reads no such columns")
            self.schema = True
        elif type == "end":
            check(self.header is None and self.schema, "a stream ends inside a batch or without a schema")
            self.ended = True
            self.queue.set("ended")
        else:
            self.take_body(type, data, body)

    def take_body(self, type, data, body):
        if type == "batch":
            check(self.header is None and self.schema and self.credit > 0, "a batch starts where it must not")
            self.header, self.body = data, b""
            self.credit -= weight(data)
        check(self.header is not None and len(self.body) + len(body) <= self.header["body"] and (body or not self.header["body"]),
              "the parts of a batch do not add up to its length")
        self.body += body
        if len(self.body) < self.header["body"]:
            check(len(body) >= MINIMUM_PART, "a part of a batch is too short")
            return
        header, self.header = self.header, None
        self.queue.offer((decode(header, self.body), weight(header)))
        if self.elastic:
            self.give(weight(header))

    def taken(self, weight):
        if not self.elastic:
            self.give(weight)
