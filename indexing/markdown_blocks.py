"""A Markdown page as a flat list of blocks with their lines, lists and tables included."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token


class BlockKind(StrEnum):
    """What a block is, as far as cutting and citing cares."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """One block: the half-open range of its lines, from 0.

    `level` is a heading's level, or how deep an item is nested (from 1; 0 outside lists).
    """

    kind: BlockKind
    first: int
    last: int
    level: int = 0
    heading: str = ""


# Only blocks are wanted, and reading what is inside them takes most of the time. Text nested deeper than the limit is lost.
_PARSER: Final = MarkdownIt("commonmark", {"html": True, "maxNesting": 100}).enable("table").disable("inline")


def markdown_blocks(markdown: str) -> list[Block]:
    """The blocks of a page in reading order.

    Nested lists come as items of a deeper level after the item that they belong to; a quotation is seen through; raw HTML counts
    as paragraphs. Every line with text is in exactly one block, save link definitions and thematic breaks.
    """
    blocks: list[Block] = []
    depth = 0
    item_open = False  # the next paragraph belongs to the list item just opened
    tokens: Sequence[Token] = _PARSER.parse(markdown)
    for position, token in enumerate(tokens):
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                depth += 1
            case "bullet_list_close" | "ordered_list_close":
                depth -= 1
            case "list_item_open":
                item_open = True
            case "list_item_close":
                item_open = False  # it was empty
            case "heading_open" if token.map and depth == 0:
                title = tokens[position + 1].content
                blocks.append(Block(BlockKind.HEADING, token.map[0], token.map[1], int(token.tag[1]), title))
            case "heading_open" | "paragraph_open" | "html_block" if token.map:
                kind = BlockKind.ITEM if item_open else BlockKind.PARAGRAPH
                blocks.append(Block(kind, token.map[0], token.map[1], depth))
                item_open = False
            case "table_open" if token.map:
                blocks.append(Block(BlockKind.TABLE, token.map[0], token.map[1], depth))
                item_open = False
            case "fence" | "code_block" if token.map:
                blocks.append(Block(BlockKind.CODE, token.map[0], token.map[1], depth))
                item_open = False
            case _:
                pass
    return blocks
