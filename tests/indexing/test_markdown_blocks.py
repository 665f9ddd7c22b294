import pytest

from indexing.markdown_blocks import Block, BlockKind, markdown_blocks

H, P, LI, T, C = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.ITEM, BlockKind.TABLE, BlockKind.CODE


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("", []),
        ("# One *two*\ntext\nmore\n", [Block(H, 0, 1, 1, "One *two*"), Block(P, 1, 3)]),
        ("Setext\n===\n\nTwo\n---\n", [Block(H, 0, 2, 1, "Setext"), Block(H, 3, 5, 2, "Two")]),
        ("####### seven\n", [Block(P, 0, 1)]),
        ("#no space\n", [Block(P, 0, 1)]),
        ("- a\n  - b\n    more\n- c\n", [Block(LI, 0, 1, 1), Block(LI, 1, 3, 2), Block(LI, 3, 4, 1)]),
        ("1. a\n\n   Second.\n2. b\n", [Block(LI, 0, 1, 1), Block(P, 2, 3, 1), Block(LI, 3, 4, 1)]),
        ("- # head\n- ```\n  x\n  ```\n", [Block(LI, 0, 1, 1), Block(C, 1, 4, 1)]),
        ("- - deep\n", [Block(LI, 0, 1, 2)]),
        ("-\n\nafter\n", [Block(P, 2, 3)]),
        ("- a\n-\n\nafter\n", [Block(LI, 0, 1, 1), Block(P, 3, 4)]),
        ("> quoted\n> > twice\nlazy\n", [Block(P, 0, 1), Block(P, 1, 3)]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nend\n", [Block(T, 0, 3), Block(P, 4, 5)]),
        ("~~~py\nx\n\n# y\n~~~\n", [Block(C, 0, 5)]),
        ("    code\n\n    more\n", [Block(C, 0, 3)]),
        ("```\nopen\n", [Block(C, 0, 2)]),
        ("<div>\n<p>x</p>\n</div>\n\ny\n", [Block(P, 0, 3), Block(P, 4, 5)]),
        ("<!-- a\n\nb -->\n", [Block(P, 0, 3)]),
        ("a\n\n***\n\n[d]: x\n\nb\n", [Block(P, 0, 1), Block(P, 6, 7)]),
        ("{% include x %}\n\n{{< note >}}\ntext\n", [Block(P, 0, 1), Block(P, 2, 4)]),
        ("a\r\n\r\n- b\r\n", [Block(P, 0, 1), Block(LI, 2, 3, 1)]),
        ("a\r\rb\r", [Block(P, 0, 1), Block(P, 2, 3)]),
        ("a\x0cb\u2028c\n\nd", [Block(P, 0, 1), Block(P, 2, 3)]),
        ("a\0b\n", [Block(P, 0, 1)]),
    ],
)
def test_blocks_have_kinds_lines_and_levels(markdown: str, expected: list[Block]) -> None:
    assert markdown_blocks(markdown) == expected


def test_lists_may_be_nested_deeper_than_the_parser_is_used_to() -> None:
    blocks = markdown_blocks("".join("  " * depth + "- x\n" for depth in range(45)))
    assert [block.level for block in blocks] == list(range(1, 46))
