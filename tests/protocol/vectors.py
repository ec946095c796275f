#!/usr/bin/env python3
"""Checks vectors.txt with frames.py and batches.py: the same file that tests/unit/worker/test-vectors.c reads. Names what is wrong."""

import json
import pathlib
import sys

import batches
import frames


class Vector:
    def __init__(self, name):
        self.name, self.sequence, self.messages = name, 1, []
        self.data, self.rows, self.weight, self.invalid = b"", None, None, None


def read(path):
    vectors = []
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "=":
            vectors.append(Vector(rest))
        elif word == "sequence":
            vectors[-1].sequence = int(rest)
        elif word == "frame":
            vectors[-1].messages.append(json.loads(rest))
        elif word == "hex":
            vectors[-1].data += bytes.fromhex(rest)
        elif word == "stream":
            vectors[-1].rows = json.loads(rest)
        elif word == "weight":
            vectors[-1].weight = int(rest)
        elif word == "invalid":
            vectors[-1].invalid = rest
        elif word not in ("", "#"):
            raise ValueError(line)
    return vectors


def split(vector):
    """The frames' messages and bodies."""
    data, number, found = vector.data, vector.sequence, []
    while data:
        lengths = frames.decode_header(data[:frames.HEADER.size], number)
        end = frames.HEADER.size + sum(lengths)
        found.append(frames.decode_frame(data[:end], number))
        data, number = data[end:], number + 1
    return found


def refusal(vector):
    """Where the frame fails: header, message, or None."""
    try:
        frames.decode_header(vector.data[:frames.HEADER.size], vector.sequence)
    except frames.Violation:
        return "header"
    try:
        frames.decode_frame(vector.data, vector.sequence)
    except frames.Violation:
        return "message"
    return None


def check_frames(vector):
    found = split(vector)
    if [message for message, _ in found] != vector.messages:
        return f"decoded to {found}"
    encoded = b"".join(frames.encode_frame(vector.sequence + i, frames.encode(message), body)
                       for i, (message, body) in enumerate(found))
    return None if encoded == vector.data else "encoded otherwise"


def check_stream(vector):
    stream = batches.Stream()
    try:
        for message, body in split(vector):
            stream.take(message, body)
    except frames.Violation as violation:
        return None if vector.invalid == stream.at else f"refused as a {stream.at}: {violation}"
    if vector.invalid:
        return "taken"
    return None if stream.rows == vector.rows else f"rows {stream.rows}"


def check(vector):
    if vector.invalid in ("header", "message"):
        found = refusal(vector)
        return None if found == vector.invalid else f"refused because of its {found}"
    if vector.weight is not None:
        weight = sum(batches.weight(message["data"]) for message in vector.messages if message["type"] == "batch")
        if weight != vector.weight:
            return f"weighs {weight}"
    # There are no codecs in Python's standard library; a batch with one is refused as not agreed.
    compressed = any("codec" in message.get("data", {}) for message in vector.messages)
    wrong = check_frames(vector)
    if wrong is None and (vector.invalid or (vector.rows is not None and not compressed)):
        wrong = check_stream(vector)
    return wrong


def main():
    vectors = read(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else
                   pathlib.Path(__file__).with_name("vectors.txt"))
    wrong = [f"{vector.name}: {what}" for vector in vectors if (what := check(vector))]
    print("\n".join(wrong) or f"{len(vectors)} vectors")
    return 1 if wrong or len(vectors) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
