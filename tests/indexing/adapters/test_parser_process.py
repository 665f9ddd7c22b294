"""Whatever a document does to the parser costs that document only."""

import io
import json
import os
import signal
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from indexing.adapters.parser_process import SubprocessParser, WorkerProcess
from indexing.documents import RawDocument
from indexing.errors import ParsingError
from indexing.parsing import DocumentParser, ParsedDocument
from indexing.sources import Skipped

GOOD = b"# Fine\n\nStill served.\n"
MIB = 2**20


def raw(path: str, content: bytes) -> RawDocument:
    return RawDocument("tests", path, path, content, ())


def results(parser: SubprocessParser, *documents: RawDocument) -> list[ParsedDocument | Skipped]:
    return [result for _, result in parser.parse(documents)]


def served(result: ParsedDocument | Skipped) -> bool:
    return isinstance(result, ParsedDocument) and result.title == "Fine"


def reason(result: ParsedDocument | Skipped) -> str:
    assert isinstance(result, Skipped), result
    return result.reason


@pytest.fixture
def small() -> Iterator[SubprocessParser]:
    """A parser with little memory."""
    parser = SubprocessParser(memory_limit_bytes=128 * MIB)
    yield parser
    parser.close()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_it_is_a_document_parser(parser: SubprocessParser) -> None:
    port: DocumentParser = parser
    assert "pypdfium2=" in port.version


def test_documents_come_back_in_order_with_their_results(parser: SubprocessParser) -> None:
    documents = [raw("a.md", GOOD), raw("b.md", b""), raw("c.txt", b"text"), raw("d.exe", b"MZ"), raw("e", b"x")]
    pairs = list(parser.parse(iter(documents)))
    assert [document for document, _ in pairs] == documents
    assert served(pairs[0][1])
    assert [result.reason for _, result in pairs if isinstance(result, Skipped)] == [
        "empty: there is no text in it",
        "there is no parser for .exe; convert it to PDF, DOCX or Markdown",
        "there is no parser for files without a suffix; convert it to PDF, DOCX or Markdown",
    ]


def test_one_process_serves_all_and_close_ends_it() -> None:
    before = children()
    parser = SubprocessParser()
    assert all(served(result) for result in results(parser, raw("a.md", GOOD), raw("b.md", GOOD)))
    (pid,) = children() - before
    assert all(served(result) for result in results(parser, raw("c.md", GOOD)))
    assert children() - before == {pid}
    parser.close()
    parser.close()
    assert children() == before


def test_the_process_has_limits_and_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_SECRET", "canary")
    before = children()
    parser = SubprocessParser(memory_limit_bytes=300 * MIB)
    results(parser, raw("a.md", GOOD))
    (pid,) = children() - before
    process = psutil.Process(pid)
    assert "FARTHING_SECRET" not in process.environ()
    assert process.rlimit(psutil.RLIMIT_AS) == (300 * MIB, 300 * MIB)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_NOFILE)[0] <= 64
    assert 20 < process.rlimit(psutil.RLIMIT_CPU)[0] < 30
    parser.close()


def test_a_module_in_the_working_directory_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    parser = SubprocessParser()
    assert served(results(parser, raw("a.md", GOOD))[0])
    parser.close()


def test_a_memory_eater(small: SubprocessParser) -> None:
    first, eaten, last = results(small, raw("a.md", GOOD), raw("b.md", b"word " * (9 * MIB)), raw("c.md", GOOD))
    assert served(first)
    assert reason(eaten) == "the parser needed more than 128 MiB of memory"
    assert served(last)


def test_a_pdf_that_eats_memory(small: SubprocessParser) -> None:
    stream = zlib.compress(b"BT (x) Tj ET\n" + b" " * (300 * MIB), 1)
    pdf = (
        b"%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n"
        b"3 0 obj <</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 9 9]>> endobj\n4 0 obj <</Filter/FlateDecode/Length "
        + str(len(stream)).encode() + b">> stream\n" + stream + b"\nendstream endobj\ntrailer <</Root 1 0 R>>\n"
    )  # fmt: skip
    eaten, last = results(small, raw("a.pdf", pdf), raw("b.md", GOOD))
    assert "more than 128 MiB of memory" in reason(eaten)
    assert served(last)


def test_a_time_eater() -> None:
    impatient = SubprocessParser(time_limit_s=2)
    started = time.monotonic()
    eater = b"<ol>" + b"<li>x</li>" * 60_000  # numbering the items looks back at all before each
    slow, last = results(impatient, raw("a.html", eater), raw("b.md", GOOD))
    impatient.close()
    assert reason(slow) == "parsing it took longer than 2 s"
    assert served(last)
    assert time.monotonic() - started < 8


def test_a_process_that_is_killed_is_replaced(parser: SubprocessParser) -> None:
    before = children()
    for kill in (9, 11):
        results(parser, raw("a.md", GOOD))
        worker = parser._worker
        assert worker is not None
        os.kill(worker._process.pid, kill)
        assert served(results(parser, raw("b.md", GOOD))[0])
    assert len(children() - before) <= 1


def test_an_interrupted_document_does_not_answer_for_the_next(parser: SubprocessParser) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    slow = b"<ol>" + b"<li>x</li>" * 20_000
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(KeyboardInterrupt):
        results(parser, raw("a.html", slow))
    signal.signal(signal.SIGALRM, before)
    assert served(results(parser, raw("b.md", GOOD))[0])


def test_too_large_a_file_and_too_large_a_text() -> None:
    parser = SubprocessParser(max_file_bytes=80 * MIB)
    too_large, too_long, fine = results(
        parser, raw("a.md", bytes(81 * MIB)), raw("b.md", b"word " * (13 * MIB + 1)), raw("c.md", GOOD)
    )
    assert reason(too_large) == "too large: 81.0 MiB; at most 80.0 MiB are parsed"
    assert reason(too_long) == "too large: its text has more than 64 MiB"
    assert served(fine)
    parser.close()


def test_a_process_that_cannot_start_is_no_document_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ParsingError, match="does not start"):
        results(SubprocessParser(), raw("a.md", GOOD))


class TestHostileWorkers:
    """A worker that a document took over: what it answers is not believed, and it is not waited for."""

    @pytest.fixture
    def parse_with(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ParsedDocument | Skipped]]:
        parsers = []

        def parse(script: str) -> ParsedDocument | Skipped:
            parser = SubprocessParser(time_limit_s=0.5)
            prelude = "import json, struct, sys, time\nout = sys.stdout.buffer\n"
            prelude += "def send(data): out.write(struct.pack('>I', len(data)) + data); out.flush()\nsend(b'{\"ready\": true}')\n"

            def start(_self: SubprocessParser) -> WorkerProcess:
                worker = WorkerProcess([sys.executable, "-c", prelude + script])
                worker.exchange(b"", 10, 1000)
                parser._worker = worker
                return worker

            monkeypatch.setattr(SubprocessParser, "_start", start)
            parsers.append(parser)
            return results(parser, raw("a.md", GOOD))[0]

        yield parse
        for parser in parsers:
            parser.close()

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            ("time.sleep(60)", "took longer"),
            ("out.write(struct.pack('>I', 100) + b'abc'); out.flush(); time.sleep(60)", "took longer"),
            ("out.write(struct.pack('>I', 2**32 - 1)); out.flush(); time.sleep(60)", "more than 64 MiB"),
            ("sys.exit(3)", "exit status 3"),
            ("import os; os.abort()", "SIGABRT"),
            ("send(b'nonsense')", "cannot be read"),
            ("send(b'[' * 100000)", "cannot be read"),
            ("send(b'[1]')", "cannot be understood"),
            ("send(b'{}')", "cannot be understood"),
            ("send(json.dumps({'document': {'markdown': 5}}).encode())", "cannot be understood"),
        ],
    )
    def test_it_costs_the_document_only(
        self, parse_with: Callable[[str], ParsedDocument | Skipped], script: str, words: str
    ) -> None:
        assert words in reason(parse_with(f"sys.stdin.buffer.read(6)\n{script}"))

    @pytest.mark.parametrize("field", [{"labels": ["no label"]}, {"labels": [5]}, {"markdown": "\ud800"}, {"keywords": None}])
    def test_its_answer_is_checked(self, parse_with: Callable[[str], ParsedDocument | Skipped], field: dict[str, object]) -> None:
        answer: dict[str, object] = {"markdown": "x", "title": None, "first_line": 1, "labels": None, "keywords": ""} | field
        script = f"sys.stdin.buffer.read(6)\nsend({json.dumps({'document': answer}).encode()!r})\ntime.sleep(60)"
        assert "hostile" in reason(parse_with(script))


@pytest.mark.data
def test_the_odd_pdfs(parser: SubprocessParser, shared_data: Path) -> None:
    files = sorted((shared_data / "hostile" / "pdf").glob("*.pdf"))
    started = time.monotonic()
    found = results(parser, *(raw(file.name, file.read_bytes()) for file in files), raw("last.md", GOOD))
    assert time.monotonic() - started < 20
    assert len(files) == 72
    assert served(found.pop())
    parsed = [result for result in found if isinstance(result, ParsedDocument)]
    assert len(parsed) >= 50
    assert all(result.markdown.strip() for result in parsed)
    assert all(len(result.reason) > 20 for result in found if isinstance(result, Skipped))


@pytest.mark.data
def test_mutated_pdfs_neither_hang_nor_end_the_service(parser: SubprocessParser, shared_data: Path) -> None:
    documents = []
    for number, file in enumerate(sorted((shared_data / "hostile" / "pdf").glob("*.pdf"))):
        content = bytearray(file.read_bytes()[:200_000])
        for place in range(number % 7, len(content), 97):
            content[place] = (content[place] * 31 + number) % 256
        documents.append(raw(file.name, bytes(content)))
    assert len(results(parser, *documents)) == 72
    assert served(results(parser, raw("a.md", GOOD))[0])


@pytest.mark.data
@pytest.mark.parametrize("suffix", [".md", ".txt", ".csv", ".html", ".rst"])
def test_naughty_strings(parser: SubprocessParser, shared_data: Path, suffix: str) -> None:
    strings = json.loads((shared_data / "hostile" / "naughty_strings.json").read_text("utf-8"))
    contents = [text.encode("utf-8", "surrogatepass") for text in strings] + ["\n\n".join(strings).encode("utf-8", "replace")]
    found = results(parser, *(raw(f"{number}{suffix}", content) for number, content in enumerate(contents)))
    assert len(found) == len(contents)
    assert isinstance(found[-1], ParsedDocument)
    if suffix == ".md":
        assert all(
            result.markdown == text for result, text in zip(found, strings, strict=False) if isinstance(result, ParsedDocument)
        )
        assert sum(isinstance(result, ParsedDocument) for result in found) > 0.95 * len(found)


@pytest.mark.data
def test_a_handbook_is_parsed_in_a_moment(shared_data: Path) -> None:
    root = shared_data / "handbook-18f" / "docs"
    documents = [raw(str(file.relative_to(root)), file.read_bytes()) for file in sorted(root.rglob("*.md"))]
    parser = SubprocessParser()
    started = time.monotonic()
    found = results(parser, *documents)
    elapsed_s = time.monotonic() - started
    parser.close()
    assert len(found) == 246
    assert not any(isinstance(result, Skipped) for result in found)
    assert sum(not result.markdown.strip() for result in found if isinstance(result, ParsedDocument)) == 8  # redirects
    for document, result in zip(documents, found, strict=True):
        if isinstance(result, ParsedDocument):
            assert result.first_line is not None
            assert document.content.decode("utf-8-sig").split("\n")[result.first_line - 1 :] == result.markdown.split("\n")
    assert elapsed_s < 3


def test_a_package_of_packages_in_every_suffix(parser: SubprocessParser) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        package.writestr("x", "y")
    found = results(
        parser, *(raw(f"a{suffix}", target.getvalue()) for suffix in (".docx", ".pptx", ".xlsx", ".pdf", ".md", ".html"))
    )
    assert all(isinstance(result, Skipped) for result in found)
