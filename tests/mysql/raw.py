"""What test.raw (tests/plugins/raw.c) wrote: every value of every batch, byte by byte."""

import struct

EPOCH = 719468  # days from 0000-03-01 to 1970-01-01


def days_of(year, month, day):
    """Days since 1970-01-01, proleptic Gregorian, year 0 too."""
    y = year - (month <= 2)
    return y * 365 + y // 4 - y // 100 + y // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1 - EPOCH


def decoder(format):
    """From the bytes of a value to what Python calls it."""
    if format in ("u", "z"):
        return bytes
    if format == "b":
        return lambda data: data[0] == 1
    if format in ("f", "g"):
        return lambda data: struct.unpack("<" + {"f": "f", "g": "d"}[format], data)[0]
    signed = format not in ("C", "S", "I", "L")
    return lambda data: int.from_bytes(data, "little", signed=signed)


class Raw:
    """columns: [(format, name)]; batches: their rows so far; rows(): lists of values, NULL as None, integers for all of
    fixed size but floats: decimals unscaled, days, microseconds."""

    def __init__(self, path="out.raw"):
        self.file = open(path, encoding="utf-8")
        self.columns, self.batches = [], []
        position = self.file.tell()
        line = self.file.readline()
        while line.startswith("column "):
            self.columns.append(tuple(line.rstrip("\n").split(" ", 2)[1:]))
            position = self.file.tell()
            line = self.file.readline()
        self.file.seek(position)
        self.decoders = [decoder(format) for format, _ in self.columns]

    def formats(self):
        return [format for format, _ in self.columns]

    def rows(self):
        while line := self.file.readline():
            if line.startswith("batch "):
                self.batches.append(int(line.split()[1]))
                continue
            yield [None if cell == "~" else decode(bytes.fromhex(cell[1:]))
                   for cell, decode in zip(line.rstrip("\n").split(" "), self.decoders)]
        self.file.close()
