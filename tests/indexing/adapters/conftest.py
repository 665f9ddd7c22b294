"""Real Office files and PDFs for the tests of the adapters."""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping

import pytest

from indexing.adapters.parser_process import SubprocessParser
from indexing.documents import RawDocument
from indexing.parsing import ParsedDocument
from indexing.sources import Skipped

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


@pytest.fixture(scope="session")
def parser() -> Iterator[SubprocessParser]:
    """One subprocess with the default limits for all tests: that none of them harms the next is part of what they show."""
    parser = SubprocessParser()
    yield parser
    parser.close()


@pytest.fixture(scope="session")
def parse_file(parser: SubprocessParser) -> Callable[[str, bytes], ParsedDocument | Skipped]:
    """Parse one file by its name and content."""

    def parse(path: str, content: bytes) -> ParsedDocument | Skipped:
        ((_, result),) = parser.parse([RawDocument("tests", path, path, content, ())])
        return result

    return parse


@pytest.fixture(scope="session")
def pack() -> Callable[[Mapping[str, bytes | str]], bytes]:
    """Make a ZIP package of named parts."""

    def make(parts: Mapping[str, bytes | str]) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
            for name, content in parts.items():
                package.writestr(name, content)
        return target.getvalue()

    return make


@pytest.fixture(scope="session")
def docx_parts() -> Callable[[str], dict[str, bytes | str]]:
    """The parts of a Word document with this body."""

    def make(body: str) -> dict[str, bytes | str]:
        def style(identity: str, name: str) -> str:
            return f'<w:style w:type="paragraph" w:styleId="{identity}"><w:name w:val="{name}"/></w:style>'

        return {
            "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="r1" Type="{R}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="l1" Type="{R}/hyperlink" '
            'Target="https://example.org/rules" TargetMode="External"/></Relationships>',
            "word/styles.xml": f'<w:styles xmlns:w="{W}">{style("T", "Title")}{style("H2", "heading 2")}</w:styles>',
            "word/numbering.xml": f'<w:numbering xmlns:w="{W}"><w:abstractNum w:abstractNumId="0">'
            '<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl>'
            '<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
            '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>',
            "word/document.xml": f'<w:document xmlns:w="{W}" xmlns:r="{R}"><w:body>{body}</w:body></w:document>',
            "docProps/core.xml": f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Property title</dc:title></cp:coreProperties>',
        }

    return make
