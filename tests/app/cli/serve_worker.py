"""`farthing serve` as a process of its own, with an embedder that loads nothing. Tests send it signals."""

import sys

from app.bootstrap import build_application
from app.cli.commands import serve
from tests.fakes.embedder import FakeEmbedder

if __name__ == "__main__":
    serve.build_application = lambda settings: build_application(settings, FakeEmbedder(dimension=64))
    sys.exit(serve.run("127.0.0.1", int(sys.argv[1])))
