import io

import pytest
from rich.text import Text

from app.cli.rendering import console, printable, table
from app.costs.pricing import dollars


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\nlines", "plain\nlines"),
        ("\x1b[2J\x1b]0;title\x07wiped", "[2J]0;titlewiped"),
        ("a\rb\x08c\x9bd\x7f", "abcd"),
        ("right\u202eleft\u2066in\u2069", "rightleftin"),
        ("tab\tstop", "tab    stop"),
        ("half \ud800", "half "),
    ],
)
def test_documents_cannot_drive_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_markup_in_documents_is_text() -> None:
    stream = io.StringIO()
    console(stream).print("[bold]not bold[/bold] :smile: [link=http://x]y[/link]")
    assert stream.getvalue() == "[bold]not bold[/bold] :smile: [link=http://x]y[/link]\n"


def test_a_pipe_gets_no_control_characters_and_whole_lines() -> None:
    stream = io.StringIO()
    out = console(stream)
    out.print(Text("long " * 60, style="bold red"))
    grid = table("name", "figure")
    grid.add_row("one", "1")
    out.print(grid)
    lines = stream.getvalue().splitlines()
    assert lines[0] == ("long " * 60)
    assert [line.split() for line in lines[1:]] == [["name", "figure"], ["one", "1"]]
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(None, "unknown"), ("0", "$0"), ("0.00102575", "$0.00103"), ("-0.001", "-$0.00100"), ("12", "$12.00000")],
)
def test_amounts_for_people(amount: str | None, shown: str) -> None:
    assert dollars(amount) == shown
