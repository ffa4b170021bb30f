"""The .Z files of the Unix program `compress`: UCI has ISOLET only so, Python cannot read them."""

MAGIC = b"\x1f\x9d"
_HEADER = 24  # bits: two bytes that tell the format, and one of settings
_CLEAR = 256
_LARGEST = 2**28  # bytes of a table; a file of 130 kB may make gigabytes


def decompress(data: bytes) -> bytes:
    """Return what `compress` made `data` of.

    Raises:
        ValueError: It is not of this format, damaged, or of more than 256 MB.
    """
    if data[:2] != MAGIC or len(data) < 3 or not 10 <= data[2] & 0x1F <= 16:
        raise ValueError("not a file of compress (.Z)")
    widest, clears = data[2] & 0x1F, bool(data[2] & 0x80)
    table = _first_table(clears)
    output: list[bytes] = []
    previous = b""
    bits, size = 9, 0
    start = position = _HEADER
    while position + bits <= 8 * len(data):
        byte, shift = divmod(position, 8)
        code = int.from_bytes(data[byte : byte + 4], "little") >> shift & (1 << bits) - 1
        position += bits
        if clears and code == _CLEAR:
            table, previous = _first_table(clears), b""
            start = position = _next_group(start, position, bits)
            bits = 9
            continue
        if code > len(table) or (code == len(table) and not previous):
            raise ValueError(f"there is no code {code} at byte {byte}")
        # the one code that may not be in the table yet is of the entry that is just being made
        entry = table[code] if code < len(table) else previous + previous[:1]
        output.append(entry)
        size += len(entry)  # as many bytes are in the table at most
        if size > _LARGEST:
            raise ValueError(f"it holds more than {_LARGEST} bytes")
        if previous and len(table) < 1 << widest:
            table.append(previous + entry[:1])
        previous = entry
        if len(table) == 1 << bits and bits < widest:
            start = position = _next_group(start, position, bits)
            bits += 1
    return b"".join(output)


def _first_table(clears: bool) -> list[bytes]:
    return [bytes([value]) for value in range(256)] + [b""] * clears


def _next_group(start: int, position: int, bits: int) -> int:
    """Codes of one width come in groups of eight; what is left of the last group is filler."""
    group = 8 * bits
    return start - (start - position) // group * group
