"""What the demo's model cites: the beginning of each document that asks for it.

Source of the shapes: https://platform.claude.com/docs/en/build-with-claude/citations and
…/search-results.
"""

from collections.abc import Iterable, Iterator

from bridge.demo import reply
from bridge.demo.conversation import Block

_CITED = 100  # characters


def citations(media: Iterable[Block]) -> tuple[Block, ...]:
    """A text block for each of these blocks that has its citations enabled, and has a text."""
    return tuple(
        reply.cited(f"{citation['cited_text']}\n", citation) for citation in _citations(media)
    )


def _citations(media: Iterable[Block]) -> Iterator[Block]:
    documents = results = 0
    for block in media:
        found = None
        if block["type"] == "search_result":
            found = _of_result(block, results)
            results += 1
        elif block["type"] == "document":
            found = _of_document(block, documents)
            documents += 1
        if found is not None and (block.get("citations") or {}).get("enabled"):
            yield found


def _of_document(block: Block, index: int) -> Block | None:
    about = {"document_index": index, "document_title": block.get("title"), "file_id": None}
    source = block["source"]
    if source["type"] == "text":
        text = source["data"][:_CITED]
        place = {"start_char_index": 0, "end_char_index": len(text)}
        return {"type": "char_location", "cited_text": text, **about, **place}
    if source["type"] == "content":
        content = source["content"]
        first = content if isinstance(content, str) else content[0].get("text", "")
        place = {"start_block_index": 0, "end_block_index": 1}
        return {"type": "content_block_location", "cited_text": first, **about, **place}
    return None


def _of_result(block: Block, index: int) -> Block:
    return {
        "type": "search_result_location",
        "cited_text": block["content"][0]["text"],
        "source": block["source"],
        "title": block["title"],
        "search_result_index": index,
        "start_block_index": 0,
        "end_block_index": 1,
    }
