"""Office files are ZIP packages of XML. What is dangerous in one is refused here, before any library opens it."""

import io
import re
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Final

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from indexing.errors import ParsingError

_MAX_ENTRIES: Final = 10_000
_MAX_UNPACKED_BYTES: Final = 256 * 1024 * 1024
_MAX_RATIO: Final = 200
_RATIO_MATTERS_BYTES: Final = 8 * 1024 * 1024
_READ_BYTES: Final = 1024 * 1024
_OLE_HEADER: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_FLAG: Final = 0x1
_XML_SUFFIXES: Final = (".xml", ".rels", ".vml")
_ENCODING: Final = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_ENCODINGS: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii", b"utf-16"})
_CORE_TITLE: Final = "{http://purl.org/dc/elements/1.1/}title"


def check_package(content: bytes) -> None:
    """Refuse a package that is encrypted, truncated, a bomb, or not what an Office program writes.

    Every entry is unpacked once, in pieces: sizes that lie, and damage, come out here. The format forbids document type
    declarations (ECMA-376 part 2, 9.1.1), so one that has any is out for entity bombs.

    Raises:
        ParsingError: With the reason.
    """
    if content.startswith(_OLE_HEADER):
        raise ParsingError(
            "encrypted with a password, or an old binary Office file; save it without a password, in the current format"
        )
    if not content.startswith(b"PK"):
        raise ParsingError("not an Office file, though its name says so")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            entries = package.infolist()
            _check_directory(entries, len(content))
            for entry in entries:
                _check_entry(package, entry)
    except zipfile.BadZipFile as exc:
        raise ParsingError("truncated or damaged: the package cannot be unpacked") from exc
    except (zlib.error, EOFError, NotImplementedError, ValueError, OSError) as exc:
        raise ParsingError("damaged: a part of the package cannot be unpacked") from exc


def core_title(content: bytes) -> str | None:
    """The title in the document properties of a checked package; `None` without one."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        try:
            properties = fromstring(package.read("docProps/core.xml"))
        except (KeyError, ParseError, DefusedXmlException):
            return None
    return " ".join((properties.findtext(_CORE_TITLE) or "").split()) or None


def _check_directory(entries: list[zipfile.ZipInfo], packed_bytes: int) -> None:
    if len(entries) > _MAX_ENTRIES:
        raise ParsingError(f"a package of {len(entries):,} parts; at most {_MAX_ENTRIES:,} are unpacked")
    unpacked_bytes = sum(entry.file_size for entry in entries)
    if unpacked_bytes > _MAX_UNPACKED_BYTES:
        raise ParsingError(
            f"a zip bomb, or too large: it unpacks to {unpacked_bytes / 2**20:,.0f} MiB; "
            f"at most {_MAX_UNPACKED_BYTES / 2**20:.0f} MiB are taken"
        )
    if unpacked_bytes > _RATIO_MATTERS_BYTES and unpacked_bytes > _MAX_RATIO * packed_bytes:
        raise ParsingError(f"a zip bomb: it unpacks to {unpacked_bytes // packed_bytes:,} times its size")
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED_FLAG:
            raise ParsingError("encrypted with a password; save it without one")
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in PurePosixPath(name).parts or re.match(r"[A-Za-z]:", name):
            raise ParsingError("a package with parts that would lie outside it (absolute or ../ names)")


def _check_entry(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Unpack one entry in pieces, which compares its real size and checksum with the declared, and look for declarations."""
    is_xml = entry.filename.lower().endswith(_XML_SUFFIXES)
    tail = b""
    with package.open(entry) as part:
        first = True
        while piece := part.read(_READ_BYTES):
            if is_xml:
                if first:
                    _check_encoding(piece)
                window = (tail + piece).replace(b"\0", b"")
                if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
                    raise ParsingError(
                        "a package with a document type declaration, which Office files never have: an entity bomb"
                    )
                tail = piece[-32:]
            first = False


def _check_encoding(beginning: bytes) -> None:
    # In any other encoding a declaration could hide from the search for it.
    declared = _ENCODING.search(beginning[:400].replace(b"\0", b""))
    if declared and declared[1].lower() not in _ENCODINGS:
        raise ParsingError("a package with XML that is neither UTF-8 nor UTF-16, which Office files never have")
    if not beginning.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<"):
        raise ParsingError("damaged: a part that should be XML is not")
