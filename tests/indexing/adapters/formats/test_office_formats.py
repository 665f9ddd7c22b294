"""PDF, DOCX, PPTX and XLSX through the subprocess: made by other programs' libraries, then hostile ones."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping

import pytest
from openpyxl import Workbook
from pptx import Presentation
from pptx.util import Inches
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

from indexing.parsing import ParsedDocument
from indexing.sources import Skipped

Parse = Callable[[str, bytes], ParsedDocument | Skipped]
Pack = Callable[[Mapping[str, bytes | str]], bytes]
Parts = Callable[[str], dict[str, bytes | str]]

DOCX_BODY = (
    '<w:p><w:pPr><w:pStyle w:val="T"/></w:pPr><w:r><w:t>Leave &lt;policy&gt;</w:t></w:r></w:p>'
    '<w:p><w:pPr><w:pStyle w:val="H2"/></w:pPr><w:r><w:t>Kinds</w:t></w:r></w:p>'
    '<w:p><w:r><w:t xml:space="preserve">See </w:t></w:r>'
    '<w:hyperlink r:id="l1"><w:r><w:t>the rules</w:t></w:r></w:hyperlink></w:p>'
    '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>Annual</w:t></w:r></w:p>'
    '<w:p><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>Carried over</w:t></w:r></w:p>'
    "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Kind</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Days</w:t></w:r></w:p></w:tc></w:tr>"
    "<w:tr><w:tc><w:p><w:r><w:t>Annual</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>30</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    "<w:p><w:del><w:r><w:delText>deleted text</w:delText></w:r></w:del></w:p>"
)


def parsed(result: ParsedDocument | Skipped) -> ParsedDocument:
    assert isinstance(result, ParsedDocument), result
    return result


def reason(result: ParsedDocument | Skipped) -> str:
    assert isinstance(result, Skipped), result
    return result.reason


def pdf_of(*blocks: object, title: str | None = None) -> bytes:
    target = io.BytesIO()
    SimpleDocTemplate(target, pagesize=A4, title=title).build(list(blocks))
    return target.getvalue()


class TestPdf:
    def test_paragraphs_headings_and_bullets(self, parse_file: Parse) -> None:
        styles = getSampleStyleSheet()
        long = " ".join(["Employees may carry five days over into the next year."] * 6)
        result = parsed(
            parse_file(
                "a.pdf",
                pdf_of(
                    Paragraph("Annual leave", styles["Heading1"]),
                    Paragraph(long, styles["Normal"]),
                    Paragraph("How to ask", styles["Heading2"]),
                    Paragraph("Write to your manager.", styles["Normal"]),
                    Paragraph("• Say when.", styles["Normal"]),
                    Paragraph("• Say why &lt;b&gt;.", styles["Normal"]),
                    title="Leave handbook",
                ),
            )
        )
        assert result == ParsedDocument(
            f"## Annual leave\n\n{long}\n\n### How to ask\n\nWrite to your manager.\n\n- Say when.\n- Say why &lt;b>.\n",
            "Leave handbook", None, None, "",
        )  # fmt: skip

    def test_pages_without_headings_are_numbered_and_running_lines_go(self, parse_file: Parse) -> None:
        target = io.BytesIO()
        canvas = Canvas(target)
        for number in range(1, 5):
            canvas.drawString(72, 800, "ACME confidential")
            canvas.drawString(72, 700, f"The text of sheet {'abcd'[number - 1]}.")
            canvas.drawString(72, 30, f"Page {number} of 4")
            canvas.showPage()
        canvas.save()
        result = parsed(parse_file("a.pdf", target.getvalue()))
        assert result.markdown == "".join(f"## Page {n}\n\nThe text of sheet {'abcd'[n - 1]}.\n\n" for n in range(1, 5))[:-1]

    def test_encrypted_scanned_empty_and_truncated_are_named(self, parse_file: Parse) -> None:
        target = io.BytesIO()
        canvas = Canvas(target, encrypt=StandardEncryption("secret"))
        canvas.drawString(72, 700, "hidden")
        canvas.save()
        assert "password" in reason(parse_file("a.pdf", target.getvalue()))
        assert "text layer" in reason(parse_file("a.pdf", pdf_of(PageBreak())))
        whole = pdf_of(Paragraph("Text.", getSampleStyleSheet()["Normal"]))
        assert "truncated or damaged" in reason(parse_file("a.pdf", whole[:200]))
        assert "truncated or damaged" in reason(parse_file("a.pdf", b"%PDF-1.7\n"))


class TestDocx:
    def test_structure_survives(self, parse_file: Parse, pack: Pack, docx_parts: Parts) -> None:
        result = parsed(parse_file("a.docx", pack(docx_parts(DOCX_BODY))))
        assert result == ParsedDocument(
            "# Leave &lt;policy>\n\n## Kinds\n\nSee [the rules](https://example.org/rules)\n\n- Annual\n  - Carried over\n\n"
            "| Kind | Days |\n| --- | --- |\n| Annual | 30 |\n",
            "Leave <policy>", None, None, "",
        )  # fmt: skip

    def test_title_of_the_properties_without_a_heading(self, parse_file: Parse, pack: Pack, docx_parts: Parts) -> None:
        assert parsed(parse_file("a.docx", pack(docx_parts("<w:p><w:r><w:t>x</w:t></w:r></w:p>")))).title == "Property title"

    def test_empty(self, parse_file: Parse, pack: Pack, docx_parts: Parts) -> None:
        assert reason(parse_file("a.docx", pack(docx_parts("<w:p/>")))).startswith("empty")


class TestPptx:
    def test_slides_bullets_tables_notes_and_links(self, parse_file: Parse) -> None:
        deck = Presentation()
        first = deck.slides.add_slide(deck.slide_layouts[1])
        first.shapes.title.text = "Leave & <pay>"
        frame = first.placeholders[1].text_frame
        frame.text = "Annual"
        inner = frame.add_paragraph()
        inner.text, inner.level = "Carried over", 2
        run = frame.add_paragraph().add_run()
        run.text, run.hyperlink.address = "rules", "https://e.org/a b"
        first.notes_slide.notes_text_frame.text = "Say it slowly."
        second = deck.slides.add_slide(deck.slide_layouts[6])
        table = second.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
        for place, words in enumerate(["Kind", "Days", "Annual|x", "30"]):
            table.cell(place // 2, place % 2).text = words
        target = io.BytesIO()
        deck.save(target)
        result = parsed(parse_file("a.pptx", target.getvalue()))
        assert result == ParsedDocument(
            "## Leave & &lt;pay>\n\n- Annual\n  - Carried over\n- [rules](https://e.org/a%20b)\n\nNotes: Say it slowly.\n\n"
            "## Slide 2\n\n| Kind | Days |\n| --- | --- |\n| Annual\\|x | 30 |\n\n",
            "Leave & <pay>", None, None, "",
        )  # fmt: skip

    def test_shapes_with_the_number_of_the_title_are_kept(self, parse_file: Parse) -> None:
        deck = Presentation()
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = "Goals"
        slide.placeholders[1].text_frame.text = "The uptime goal is 99.95 percent."
        slide.placeholders[1]._element.nvSpPr.cNvPr.id = slide.shapes.title.shape_id
        target = io.BytesIO()
        deck.save(target)
        assert parsed(parse_file("a.pptx", target.getvalue())).markdown == "## Goals\n\nThe uptime goal is 99.95 percent.\n"

    def test_slides_without_text_are_empty(self, parse_file: Parse) -> None:
        deck = Presentation()
        deck.slides.add_slide(deck.slide_layouts[6])
        target = io.BytesIO()
        deck.save(target)
        assert reason(parse_file("a.pptx", target.getvalue())).startswith("empty")


class TestXlsx:
    def test_sheets_are_headings_and_tables(self, parse_file: Parse) -> None:
        book = Workbook()
        book.properties.title = "Rates"
        sheet = book.active
        sheet.title = "Per diem"
        sheet.append(["City", None, "Rate", "Share"])
        sheet.append([])
        sheet.append(["A|B", None, 12.5, 0.25])
        sheet["D3"].number_format = "0%"
        hidden = book.create_sheet("Hidden")
        hidden.append(["secret"])
        hidden.sheet_state = "hidden"
        book.create_sheet("Empty")
        target = io.BytesIO()
        book.save(target)
        result = parsed(parse_file("a.xlsx", target.getvalue()))
        assert result == ParsedDocument(
            "## Per diem\n\n| City | Rate | Share |\n| --- | --- | --- |\n| A\\|B | 12.5 | 25% |\n", "Rates", None, None, ""
        )

    def test_a_sheet_that_claims_to_be_huge_is_read_as_it_is(self, parse_file: Parse, pack: Pack) -> None:
        target = io.BytesIO()
        book = Workbook()
        book.active.append(["only"])
        book.save(target)
        with zipfile.ZipFile(target) as package:
            parts = {name: package.read(name) for name in package.namelist()}
        sheet = parts["xl/worksheets/sheet1.xml"]
        parts["xl/worksheets/sheet1.xml"] = sheet.replace(b'ref="A1:A1"', b'ref="A1:XFD1048576"')
        assert b"XFD1048576" in parts["xl/worksheets/sheet1.xml"]
        assert parsed(parse_file("a.xlsx", pack({**parts}))).markdown == "## Sheet\n\n| only |\n| --- |\n"


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx"])
class TestHostilePackages:
    def test_not_a_package_truncated_or_encrypted(self, parse_file: Parse, pack: Pack, docx_parts: Parts, name: str) -> None:
        assert "not an Office file" in reason(parse_file(name, b"hello"))
        assert "password" in reason(parse_file(name, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)))
        assert "truncated" in reason(parse_file(name, pack(docx_parts(DOCX_BODY))[:900]))

    def test_bombs_by_declared_size(self, parse_file: Parse, pack: Pack, docx_parts: Parts, name: str) -> None:
        ratio = pack({**docx_parts(DOCX_BODY), "word/media/zeros.bin": bytes(100 * 2**20)})
        assert "zip bomb" in reason(parse_file(name, ratio))
        assert "zip bomb" in reason(parse_file(name, pack({f"{n}.bin": bytes(90 * 2**20) for n in range(3)})))
        assert "parts" in reason(parse_file(name, pack({f"{n}.xml": b"" for n in range(10_001)})))

    def test_a_bomb_that_lies_about_its_size(self, parse_file: Parse, pack: Pack, docx_parts: Parts, name: str) -> None:
        bomb = bytearray(pack({**docx_parts(DOCX_BODY), "word/media/x.bin": bytes(30 * 2**20)}))
        for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # the uncompressed size in both headers
            place = -1
            while (place := bomb.find(signature, place + 1)) >= 0:
                if struct.unpack_from("<I", bomb, place + offset)[0] == 30 * 2**20:
                    struct.pack_into("<I", bomb, place + offset, 1000)
        assert "damaged" in reason(parse_file(name, bytes(bomb)))

    def test_a_nested_bomb_is_not_unpacked(self, parse_file: Parse, pack: Pack, docx_parts: Parts, name: str) -> None:
        inner = pack({"zeros": bytes(200 * 2**20)})
        nested = pack({**docx_parts("<w:p><w:r><w:t>Fine</w:t></w:r></w:p>"), "word/embeddings/inner.zip": inner})
        result = parse_file(name, nested)
        assert parsed(result).markdown == "Fine\n" if name == "a.docx" else "gave up" in reason(result)

    @pytest.mark.parametrize("part", ["../evil.xml", "/etc/evil.xml", "a/../../evil.xml", "..\\evil.xml", "C:\\evil.xml"])
    def test_names_that_climb(self, parse_file: Parse, pack: Pack, docx_parts: Parts, name: str, part: str) -> None:
        assert "outside" in reason(parse_file(name, pack({**docx_parts(DOCX_BODY), part: b"<x/>"})))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7", "cp037"])
    def test_entity_bombs(self, parse_file: Parse, pack: Pack, docx_parts: Parts, name: str, encoding: str) -> None:
        entities = '<!ENTITY a "lol">' + "".join(
            f'<!ENTITY {n} "{f"&{p};" * 10}">' for p, n in zip("abcdefgh", "bcdefghi", strict=True)
        )
        bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [{entities}]><x>&i;</x>'.encode(encoding)
        parts = {**docx_parts(DOCX_BODY), "word/document.xml": bomb, "ppt/presentation.xml": bomb, "xl/workbook.xml": bomb}
        words = reason(parse_file(name, pack(parts)))
        assert "entity bomb" in words or "neither UTF-8 nor UTF-16" in words or "XML is not" in words

    def test_a_part_is_encrypted(self, parse_file: Parse, pack: Pack, docx_parts: Parts, name: str) -> None:
        package = bytearray(pack(docx_parts(DOCX_BODY)))
        place = package.find(b"PK\x01\x02")
        package[place + 8] |= 1
        assert "password" in reason(parse_file(name, bytes(package)))
