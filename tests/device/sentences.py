"""Sentences with their checksums, for tests of what reads them."""


def sealed(body, start=b"$"):
    """Return `body` as a whole sentence: start character, checksum, line end."""
    check = 0
    for c in body:
        check ^= c
    return start + body + b"*%02X\r\n" % check
