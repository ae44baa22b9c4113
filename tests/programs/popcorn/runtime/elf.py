"""Reads what the aligned link needs of 64-bit little-endian ELF files."""

import struct
from collections import namedtuple

Section = namedtuple("Section", "name type flags addr offset size link align")
Segment = namedtuple("Segment", "type flags offset vaddr filesz memsz align")
Symbol = namedtuple("Symbol", "name kind local section value size")

ALLOC, WRITE, EXEC, MERGE, TLS = 0x2, 0x1, 0x4, 0x10, 0x400
NOBITS, NOTE, SYMTAB = 8, 7, 2
MACHINES = {62: "x86-64", 183: "aarch64"}
SEGMENTS = {1: "LOAD", 4: "NOTE", 7: "TLS", 0x6474E551: "GNU_STACK"}
OBJECT, FUNCTION, THREAD_LOCAL = 1, 2, 6


class Elf:
    def __init__(self, path):
        self.path = str(path)
        with open(path, "rb") as file:
            self.bytes = file.read()
        if self.bytes[:6] != b"\x7fELF\x02\x01":
            raise SystemExit(f"{path}: not a 64-bit little-endian ELF file")
        head = struct.unpack_from("<HHIQQQIHHHHHH", self.bytes, 16)
        self.isa = MACHINES.get(head[1], f"machine {head[1]}")
        self.entry, phoff, shoff = head[3], head[4], head[5]
        phnum, shnum, shstrndx = head[9], head[11], head[12]
        self.segments = []
        for i in range(phnum):
            kind, flags, offset, vaddr, _, filesz, memsz, align = struct.unpack_from("<IIQQQQQQ", self.bytes, phoff + 56 * i)
            self.segments.append(Segment(SEGMENTS.get(kind, hex(kind)), flags, offset, vaddr, filesz, memsz, align))
        raw = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, shoff + 64 * i) for i in range(shnum)]
        names = raw[shstrndx][4]
        self.sections = [Section(self._string(names + r[0]), r[1], r[2], r[3], r[4], r[5], r[6], r[8]) for r in raw]

    def _string(self, at):
        return self.bytes[at : self.bytes.index(0, at)].decode()

    def section(self, name):
        return next((s for s in self.sections if s.name == name), None)

    def content(self, section):
        return b"" if section.type == NOBITS else self.bytes[section.offset : section.offset + section.size]

    def symbols(self):
        table = next(s for s in self.sections if s.type == SYMTAB)
        strings = self.sections[table.link].offset
        for at in range(table.offset, table.offset + table.size, 24):
            name, info, _, section, value, size = struct.unpack_from("<IBBHQQ", self.bytes, at)
            yield Symbol(self._string(strings + name), info & 15, info >> 4 == 0, section, value, size)
