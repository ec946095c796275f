"""Schemas and batches of docs/protocol.md, in Python, from the page alone: what comes over a stream, as rows."""

import struct

from frames import Violation

MAXIMUM_NESTING = 12
MINIMUM_PART = 1024
INTEGERS = {"c": "b", "C": "B", "s": "h", "S": "H", "i": "i", "I": "I", "l": "q", "L": "Q"}
NUMBERS = {**INTEGERS, "f": "f", "g": "d"}
TIMES = {"tdD": "i", "tdm": "q", "tts": "i", "ttm": "i", "ttu": "q", "ttn": "q"}


def check(condition, what):
    if not condition:
        raise Violation(what)


class Type:
    """A checked schema. `layout`: null, bit, number, bytes, variable, list, fixed list or struct."""

    def __init__(self, schema, depth=0):
        check(isinstance(schema, dict) and isinstance(schema.get("format"), str), "a schema has no format")
        check(depth <= MAXIMUM_NESTING, "a schema nests too deep")
        self.format = schema["format"]
        self.children = [Type(child, depth + 1) for child in schema.get("children", [])]
        self.dictionary = Type(schema["dictionary"], depth + 1) if "dictionary" in schema else None
        self.find_layout()
        expected = {"list": 1, "fixed list": 1, "struct": len(self.children)}.get(self.layout, 0)
        check(len(self.children) == expected, "a schema has another number of children")
        check(self.dictionary is None or self.format in INTEGERS, "a dictionary's indices must be integers")
        check_metadata(schema.get("metadata"))

    def find_layout(self):
        form, self.width, self.code = self.format, 0, None
        if form in NUMBERS or form in TIMES or (form[:2] in ("ts", "tD") and form[2:3] in tuple("smun")):
            self.layout, self.code = "number", NUMBERS.get(form) or TIMES.get(form, "q")
            self.width = struct.calcsize("<" + self.code)
        elif form in ("n", "b"):
            self.layout = {"n": "null", "b": "bit"}[form]
        elif form.startswith("w:"):
            self.layout, self.width = "bytes", int(form[2:])
        elif form.startswith("d:"):
            parts = form[2:].split(",")
            self.layout, self.width = "bytes", int(parts[2]) // 8 if len(parts) == 3 else 16
        elif form in "uzUZ":
            self.layout, self.code = "variable", "q" if form in "UZ" else "i"
        elif form in ("+l", "+L", "+m"):
            self.layout, self.code = "list", "q" if form == "+L" else "i"
        elif form.startswith("+w:"):
            self.layout, self.width = "fixed list", int(form[3:])
        elif form == "+s":
            self.layout = "struct"
        else:
            raise Violation("a schema has an unknown format")


def check_metadata(text):
    if text is None:
        return
    try:
        data = bytes.fromhex(text)
        (pairs,), at = struct.unpack_from("<i", data), 4
        for _ in range(2 * pairs):
            (length,) = struct.unpack_from("<i", data, at)
            at += 4 + length
            check(length >= 0, "metadata are none")
    except (ValueError, struct.error):
        raise Violation("metadata are none")
    check(at == len(data), "metadata are none")


class Batch:
    """Walks through nodes and buffers in the order of the schema."""

    def __init__(self, schema, header, body):
        self.nodes, self.buffers = list(header.get("nodes", [])), list(header.get("buffers", []))
        self.body, self.end = body, 0
        check("codec" not in header, "a batch has a codec that was not negotiated")
        check(all(type(number) is int for number in self.nodes + self.buffers), "a header has what is no number")
        length, _, offset = self.node()
        check(offset == 0, "the top has an offset")
        self.buffer(0)
        columns = [self.values(child, length) for child in schema.children]
        check(not self.nodes and not self.buffers, "a batch does not fit its schema")
        self.rows = [[column[row] for column in columns] for row in range(length)]

    def node(self):
        check(len(self.nodes) >= 3, "a node is missing")
        length, nulls, offset = (self.nodes.pop(0) for _ in range(3))
        check(0 <= length <= 1 << 40 and -1 <= nulls <= length and 0 <= offset <= 7, "a node cannot be")
        return length, nulls, offset

    def buffer(self, needed):
        check(len(self.buffers) >= 2, "a buffer is missing")
        place, length = self.buffers.pop(0), self.buffers.pop(0)
        check(place >= 0 and length >= 0 and place % 64 == 0, "a buffer is at no place")
        check(length >= needed, "a buffer is too short")
        if length > 0:
            check(place >= self.end and place + length <= len(self.body), "a buffer is outside of its body")
            self.end = place + length
        return self.body[place:place + length]

    def values(self, kind, needed):
        """All values of an array that must have at least so many; the first `needed` of them."""
        length, nulls, offset = self.node()
        check(length >= needed, "a column is too short")
        if kind.layout == "null":
            return [None] * length
        valid = self.validity(length, nulls, offset)
        found = getattr(self, kind.layout.replace(" ", "_"))(kind, length, offset)
        if kind.dictionary:
            words_length = self.nodes[0] if self.nodes else 0
            words = self.values(kind.dictionary, 0)
            check(all(0 <= index < words_length for index, there in zip(found, valid) if there),
                  "an index is not in its dictionary")
            found = [words[index] if there else None for index, there in zip(found, valid)]
        return [value if there else None for value, there in zip(found, valid)]

    def validity(self, length, nulls, offset):
        bits = self.buffer(0)
        if not bits:
            check(nulls == 0 or length == 0, "nulls are nowhere")
            return [True] * length
        check(len(bits) * 8 >= offset + length, "a buffer is too short")
        return [bool(bits[at // 8] >> at % 8 & 1) for at in range(offset, offset + length)]

    def bit(self, _, length, offset):
        bits = self.buffer((offset + length + 7) // 8 if length else 0)
        return [bool(bits[at // 8] >> at % 8 & 1) for at in range(offset, offset + length)]

    def number(self, kind, length, offset):
        data = self.buffer((offset + length) * kind.width if length else 0)
        return list(struct.unpack_from(f"<{length}{kind.code}", data, offset * kind.width)) if length else []

    def bytes(self, kind, length, offset):
        data, width = self.buffer((offset + length) * kind.width if length else 0), kind.width
        return [data[at * width:(at + 1) * width].hex() for at in range(offset, offset + length)]

    def offsets(self, kind, length, offset):
        width = struct.calcsize("<" + kind.code)
        data = self.buffer((offset + length + 1) * width if length else 0)
        if length == 0:
            return [0]
        found = struct.unpack_from(f"<{length + 1}{kind.code}", data, offset * width)
        check(found[0] >= 0 and list(found) == sorted(found), "offsets go down")
        return [at - found[0] for at in found]

    def variable(self, kind, length, offset):
        offsets = self.offsets(kind, length, offset)
        data = self.buffer(offsets[-1])
        parts = [data[begin:end] for begin, end in zip(offsets, offsets[1:])]
        return [part.decode() if kind.format in "uU" else part.hex() for part in parts]

    def list(self, kind, length, offset):
        offsets = self.offsets(kind, length, offset)
        items = self.values(kind.children[0], offsets[-1])
        return [items[begin:end] for begin, end in zip(offsets, offsets[1:])]

    def fixed_list(self, kind, length, offset):
        items, size = self.values(kind.children[0], (offset + length) * kind.width), kind.width
        return [items[at * size:(at + 1) * size] for at in range(offset, offset + length)]

    def struct(self, kind, length, offset):
        members = [self.values(child, offset + length) for child in kind.children]
        return [[member[at] for member in members] for at in range(offset, offset + length)]


def weight(data):
    """What a batch takes off its stream's credit."""
    check(all(isinstance(data.get(key), kind) for key, kind in (("body", int), ("nodes", list), ("buffers", list))) and
          0 <= data["body"] <= 1 << 30 and data["nodes"] and len(data["nodes"]) % 3 == 0 and
          len(data["buffers"]) <= 3 * len(data["nodes"]), "a batch has another header than batches have")
    decompressed = sum(-(-length // 64) * 64 for length in data["buffers"][2::3]) if "codec" in data else 0
    check(decompressed <= 1 << 30, "a batch is too long when decompressed")
    return 1024 + 256 * (len(data["nodes"]) // 3) + data["body"] + decompressed


class Stream:
    """The reader's half of one stream: messages in, rows out. `at`: what it was about when it refused."""

    def __init__(self):
        self.schema = self.header = None
        self.body, self.rows, self.at, self.ended = b"", [], None, False

    def take(self, message, body):
        kind, data = message["type"], message["data"]
        self.at = "schema" if kind == "schema" else "batch"
        check(not self.ended, "a stream continues after its end")
        if kind == "schema":
            check(self.schema is None, "a stream has two schemas")
            self.schema = Type(data.get("schema"))
            check(self.schema.layout == "struct", "the schema is not a struct")
        elif kind == "end":
            check(self.header is None and self.schema is not None, "a stream ends inside a batch or without a schema")
            self.ended = True
        else:
            self.take_part(kind, data, body)

    def take_part(self, kind, data, body):
        if kind == "batch":
            check(self.schema is not None, "a stream starts without its schema")
            check(self.header is None, "a batch starts inside another")
            weight(data)
            self.header, self.body = data, b""
        check(self.header is not None, "a part of a batch has no batch")
        self.body += body
        whole = self.header["body"]
        check(len(self.body) <= whole and (body or whole == 0), "the parts of a batch do not add up to its length")
        check(len(self.body) == whole or len(body) >= MINIMUM_PART, "a part of a batch is too short")
        if len(self.body) == whole:
            self.rows += Batch(self.schema, self.header, self.body).rows
            self.header = None
