"""`farthing status`."""

import sys

from app.bootstrap import read_status
from app.cli import OK
from app.cli.rendering import console, printable
from app.settings import load_settings


def run(*, as_json: bool) -> int:
    """Print what is indexed."""
    shape = read_status(load_settings())
    if as_json:
        print(shape.model_dump_json())
        return OK
    out = console(sys.stdout)
    for name, value in (
        ("documents", f"{shape.documents:,}"),
        ("chunks", f"{shape.chunks:,}"),
        ("units", f"{shape.units:,}"),
        ("generation", shape.generation),
        ("index", f"{_mb(shape.index_bytes)} ({shape.engine})"),
        ("embeddings kept", _mb(shape.cache_bytes)),
        ("model", f"{shape.model}, {shape.dimension} dimensions"),
        ("indexed at", shape.indexed_at),
        ("indexed by", shape.indexed_by),
        *(("source", source) for source in shape.sources),
    ):
        out.print(f"{name:16} {printable(value)}")
    return OK


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
