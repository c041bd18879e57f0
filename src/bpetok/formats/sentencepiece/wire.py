"""Protocol Buffers' wire format, as much of it as a SentencePiece model needs, read strictly.

A message is a row of fields, each a tag (the field's number and how its value is laid out) and a value. See
https://protobuf.dev/programming-guides/encoding. Nothing is copied but what a caller asks for, and a length
is compared with what is there before it is believed, so a hostile file costs no more than its size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bpetok.errors import FormatError

__all__ = ["BYTES", "FIXED32", "FIXED64", "VARINT", "field", "fields", "integer", "varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MAX_NUMBER = (1 << 29) - 1

Value = int | float | slice


def fields(data: bytes, start: int, stop: int, where: str) -> Iterator[tuple[int, int, Value]]:
    """The fields of the message in `data[start:stop]`: number, layout and value.

    A value of layout `BYTES` is the slice of `data` that holds it, one of `VARINT` an unsigned integer, and
    one of `FIXED32` a float; `FIXED64` is passed over by callers and comes as a slice too.

    Raises:
        FormatError: a length or an integer is cut short or too large, a field's number is 0, or a layout is
            none that is in use.
    """
    at = start
    while at < stop:
        begin = at
        tag, at = integer(data, at, stop, where)
        number, layout = tag >> 3, tag & 7
        if not 0 < number <= _MAX_NUMBER:
            raise FormatError(f"{where} is damaged at byte {begin}: {number} is no number of a field")
        if layout == VARINT:
            value, at = integer(data, at, stop, where)
            yield number, layout, value
            continue
        if layout == BYTES:
            size, at = integer(data, at, stop, where)
        elif layout in (FIXED32, FIXED64):
            size = 4 if layout == FIXED32 else 8
        else:
            raise FormatError(f"{where} is damaged at byte {begin}: layout {layout} of field {number}")
        if size > stop - at:
            raise FormatError(
                f"{where} is truncated or damaged: field {number} at byte {begin} takes {size} bytes, and "
                f"{stop - at} are left"
            )
        if layout == FIXED32:
            yield number, layout, struct.unpack_from("<f", data, at)[0]
        else:
            yield number, layout, slice(at, at + size)
        at += size


def integer(data: bytes, at: int, stop: int, where: str) -> tuple[int, int]:
    """The unsigned integer at a position, seven bits a byte, the lowest first; and where it ends.

    Raises:
        FormatError: it is cut short, or has more than 64 bits.
    """
    begin, value, shift = at, 0, 0
    while at < stop and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, at
        shift += 7
    raise FormatError(f"{where} is truncated or damaged: no integer of 64 bits is at byte {begin}")


def varint(value: int) -> bytes:
    """An integer as the wire has it: a negative one as its 64-bit two's complement.

    >>> varint(300), len(varint(-1))
    (b'\\xac\\x02', 10)
    """
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: bool | int | float | str | bytes) -> bytes:
    """A field of a message, laid out by the type of its value: a float takes four bytes.

    >>> field(1, "a"), field(3, 6), field(2, -1.0)
    (b'\\n\\x01a', b'\\x18\\x06', b'\\x15\\x00\\x00\\x80\\xbf')
    """
    if isinstance(value, float):
        return varint(number << 3 | FIXED32) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(data)) + data
