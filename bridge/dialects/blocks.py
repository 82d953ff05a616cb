"""Content blocks of the Messages API; clients of OpenAI's send some of them as well."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen
from cattrs import Converter

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Media,
    Passages,
    RedactedThinking,
    SearchResult,
    Text,
    Thinking,
    ToolResult,
)
from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.dialects.media import PDF, PLAIN, embedded_pdf, embedded_picture, link
from bridge.dialects.policy import JsonObject, invalid
from bridge.dialects.wire import string_or, tagged, tagged_alone


@frozen(kw_only=True)
class TextBlock:
    """``{"type": "text", "text": …}``"""

    text: str


@frozen(kw_only=True)
class Base64Source:
    """What is shown, in base64, of the type that ``media_type`` says."""

    media_type: str
    data: str


@frozen(kw_only=True)
class UrlSource:
    """Where the model's side is to fetch it."""

    url: str


@frozen(kw_only=True)
class TextSource:
    """A document's words."""

    data: str
    media_type: str = "text/plain"


@frozen(kw_only=True)
class FileSource:
    """A file that was sent to the Files API before, which this server does not have."""

    file_id: str


ImageSource = Base64Source | UrlSource | FileSource


@frozen(kw_only=True)
class ImageBlock:
    """``{"type": "image", "source": …}``"""

    source: ImageSource


Piece = TextBlock | ImageBlock
Pieces = str | tuple[Piece, ...]


@frozen(kw_only=True)
class PiecesSource:
    """A document in pieces, which are what can be cited of it."""

    content: Pieces


DocumentSource = Base64Source | UrlSource | FileSource | TextSource | PiecesSource


@frozen(kw_only=True)
class Citations:
    """Whether the answer is to cite it."""

    enabled: bool | None = None


@frozen(kw_only=True)
class DocumentBlock:
    """``{"type": "document", "source": …}``: a PDF, plain text, or pieces of a text."""

    source: DocumentSource
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None


@frozen(kw_only=True)
class SearchResultBlock:
    """``{"type": "search_result", …}``: what a search of the client's own has found."""

    source: str
    title: str
    content: tuple[TextBlock, ...]
    citations: Citations | None = None


MediaBlock = ImageBlock | DocumentBlock | SearchResultBlock
MEDIA: Mapping[str, type] = {
    "image": ImageBlock,
    "document": DocumentBlock,
    "search_result": SearchResultBlock,
}
"""The blocks that are read, beside text, by their ``type``."""


@frozen(kw_only=True)
class ToolUseBlock:
    """A call of the model's; its ``input`` is the arguments."""

    id: str
    name: str
    input: JsonObject


@frozen(kw_only=True)
class ThinkingBlock:
    """Reasoning, which the model's side wants back as it came."""

    thinking: str
    signature: str


@frozen(kw_only=True)
class RedactedBlock:
    """The same, where only the model's side can read it."""

    data: str


def thoughts(blocks: Iterable[object]) -> Iterable[Thinking | RedactedThinking]:
    """The reasoning among these blocks."""
    for block in blocks:
        if isinstance(block, ThinkingBlock):
            yield Thinking(text=block.thinking, signature=block.signature)
        elif isinstance(block, RedactedBlock):
            yield RedactedThinking(data=block.data)


def teach_media(converter: Converter) -> None:
    """Teach a converter the blocks of :data:`MEDIA`, and text blocks that stand alone."""
    shown = {"base64": Base64Source, "url": UrlSource, "file": FileSource}
    documents = {**shown, "text": TextSource, "content": PiecesSource}
    for union, members, whose in (
        (ImageSource, shown, "A picture can't come from such a source"),
        (DocumentSource, documents, "A document can't come from such a source"),
        (Piece, {"text": TextBlock, "image": ImageBlock}, "A document can't hold such a block"),
    ):
        tagged(converter, union, "type", members, whose, code="unsupported_parameter")
    string_or(converter, Pieces, list, tuple[Piece, ...], "an array of content blocks")
    tagged_alone(converter, TextBlock, "type", "text", "Only text can stand here")


def media_in(block: object) -> int:
    """How many pictures and documents a block holds."""
    match block:
        case DocumentBlock(source=PiecesSource(content=tuple(pieces))):
            return 1 + sum(map(media_in, pieces))
        case ImageBlock() | DocumentBlock():
            return 1
        case _:
            return 0


def said(text: str, path: str) -> Text:
    """The text, which the Messages API refuses when it says nothing.

    Raises :class:`InvalidRequest`, as everything does that reads blocks.
    """
    if not text.strip():
        raise invalid(f"'{path}' must hold more than white space.", path)
    return Text(text=text)


def read(block: TextBlock | MediaBlock, path: str) -> Text | Media | SearchResult:
    """What a block says or shows; ``path`` is where it stands."""
    match block:
        case TextBlock():
            return said(block.text, f"{path}.text")
        case ImageBlock():
            return _picture(block, f"{path}.source")
        case DocumentBlock():
            return _document(block, f"{path}.source")
        case SearchResultBlock():
            return _found(block, path)


def only_words(result: ToolResult, path: str) -> ToolResult:
    """The result, unless it is a failure that holds more than words.

    The Messages API refuses such a one; Claude Code would drop the rest without saying so.
    """
    if result.is_error and not all(isinstance(piece, Text) for piece in result.content):
        raise invalid(f"'{path}': a failure ('is_error') can hold nothing but text.", path)
    return result


def _picture(block: ImageBlock, path: str) -> Image | LinkedImage:
    match block.source:
        case Base64Source(media_type=media_type, data=data):
            return embedded_picture(media_type, data, f"{path}.data")
        case UrlSource(url=url):
            return LinkedImage(url=link(url, f"{path}.url"))
        case FileSource():
            raise _no_files(path)


def _document(block: DocumentBlock, path: str) -> Media:
    about: dict[str, Any] = {
        "title": block.title or None,
        "context": block.context or None,
        "cited": _is_cited(block.citations),
    }
    match block.source:
        case UrlSource(url=url):
            return LinkedDocument(url=link(url, f"{path}.url"), **about)
        case FileSource():
            raise _no_files(path)
        case PiecesSource(content=content):
            return Passages(content=tuple(_pieces(content, f"{path}.content")), **about)
        case Base64Source(media_type=media_type, data=data):
            _check_type(media_type, PDF, path)
            data = embedded_pdf(data, f"{path}.data")
            return Document(media_type=PDF, data=data, **about)
        case TextSource(media_type=media_type, data=data):
            _check_type(media_type, PLAIN, path)
            return Document(media_type=PLAIN, data=said(data, f"{path}.data").text, **about)


def _pieces(content: Pieces, path: str) -> Iterable[Text | Image | LinkedImage]:
    if isinstance(content, str):
        yield said(content, path)
        return
    if not content:
        raise invalid(f"'{path}' is empty.", path)
    for index, piece in enumerate(content):
        where = f"{path}[{index}]"
        if isinstance(piece, ImageBlock):
            yield _picture(piece, f"{where}.source")
        else:
            yield said(piece.text, f"{where}.text")


def _found(block: SearchResultBlock, path: str) -> SearchResult:
    texts = tuple(
        said(piece.text, f"{path}.content[{index}].text").text
        for index, piece in enumerate(block.content)
    )
    if not texts:
        raise invalid(f"'{path}.content' is empty.", f"{path}.content")
    for name, text in (("source", block.source), ("title", block.title)):
        said(text, f"{path}.{name}")
    return SearchResult(
        source=block.source, title=block.title, texts=texts, cited=_is_cited(block.citations)
    )


def _is_cited(citations: Citations | None) -> bool:
    return citations is not None and bool(citations.enabled)


def _check_type(media_type: str, wanted: str, path: str) -> None:
    where = f"{path}.media_type"
    if media_type != wanted:
        raise invalid(f"'{where}' must be {wanted!r} here, but it is {media_type[:100]!r}.", where)


def _no_files(path: str) -> InvalidRequest:
    return UnsupportedParameter(
        f"'{path}': this server keeps no files. Send the file itself, as a source of the type "
        "'base64', or its URL.",
        param=path,
    )
