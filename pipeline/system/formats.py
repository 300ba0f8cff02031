"""What a file is, told by its first bytes, where it is not what its name says."""

UTF8_MARK = b"\xef\xbb\xbf"

_UTF16 = "UTF-16 text (save it as UTF-8)"
_KINDS = {
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
    b"PK\3\4": "a zip or a spreadsheet",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"PAR1": "a Parquet file",
    b"\x93NUMPY": "a NumPy array",
    b"<": "a web page",
}


def kind_of(start: bytes) -> str | None:
    """Return "empty", "a web page" or the like; None if the bytes may be any text, or anything."""
    text = start.removeprefix(UTF8_MARK).lstrip()
    if not text:
        return "empty"
    if text[0:4:2] == b"\0\0" or text[1:4:2] == b"\0\0":  # every second byte of plain letters
        return _UTF16
    return next((kind for mark, kind in _KINDS.items() if text.startswith(mark)), None)
