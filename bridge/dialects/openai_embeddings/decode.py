"""Bytes of an embeddings request → texts, or an error that names the field."""

from attrs import frozen

from bridge.core.embeddings import Texts
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai.parameters import refuse_tokens
from bridge.dialects.policy import Policy, invalid
from bridge.dialects.wire import Fault, hardened_converter, load_object, string_or, unread

MAX_TEXTS = 2_048
"""Most texts of a request: OpenAI's own limit."""

FORMATS = ("float", "base64")

POLICY = Policy(refused={}, ignored={})
"""Every field of OpenAI's is honoured; unknown ones are named."""


@frozen(kw_only=True)
class WireRequest:
    """The fields that are honoured."""

    input: str | tuple[str, ...]
    model: str
    encoding_format: str | None = None
    dimensions: int | None = None
    user: str | None = None


@frozen(kw_only=True)
class EmbeddingsRequest:
    """A decoded request: the texts, and whether their vectors are wanted in base64.

    ``ignored`` are the paths of the fields that have no effect.
    """

    texts: Texts
    in_base64: bool
    ignored: tuple[str, ...] = ()


_CONVERTER = hardened_converter()
string_or(_CONVERTER, str | tuple[str, ...], list, tuple[str, ...], "an array of strings")


def decode(body: bytes) -> EmbeddingsRequest:
    """Decode a request.

    Raises :class:`bridge.core.errors.InvalidRequest`, with ``param`` set to the path of the field
    at fault.
    """
    raw = load_object(body)
    try:
        refuse_tokens(
            raw.get("input"),
            "input",
            "Send the text (with LangChain: check_embedding_ctx_length=False).",
        )
        wire: WireRequest = _CONVERTER.structure(raw, WireRequest)
    except Fault as fault:
        raise fault.as_error() from None
    if not wire.model:
        raise invalid("'model' is empty: name a model for embeddings.", "model")
    if wire.encoding_format not in (None, *FORMATS):
        raise invalid(
            f"'encoding_format' must be 'float' or 'base64', but it is "
            f"{wire.encoding_format[:100]!r}.",
            "encoding_format",
        )
    if wire.dimensions is not None and wire.dimensions < 1:
        raise invalid(
            f"'dimensions' must be at least 1, but it is {wire.dimensions}.", "dimensions"
        )
    texts = Texts(
        model=wire.model,
        texts=(wire.input,) if isinstance(wire.input, str) else wire.input,
        dimensions=wire.dimensions,
        user=wire.user,
        listed=not isinstance(wire.input, str),
    )
    _check(texts)
    return EmbeddingsRequest(
        texts=texts,
        in_base64=wire.encoding_format == "base64",
        ignored=POLICY.names_ignored(unread(raw, wire)),
    )


def _check(texts: Texts) -> None:
    count = len(texts.texts)
    if not count:
        raise InvalidRequest(
            "Invalid 'input': empty array. Send at least one text.",
            param="input",
            code="empty_array",
        )
    if count > MAX_TEXTS:
        raise InvalidRequest(
            f"Invalid 'input': array too long. Up to {MAX_TEXTS} texts are taken, but there are "
            f"{count}.",
            param="input",
            code="array_above_max_length",
        )
    for index, text in enumerate(texts.texts):
        if not text:
            where = texts.where(index)
            raise InvalidRequest(
                f"Invalid '{where}': empty string. There is no vector of nothing; leave it out.",
                param=where,
                code="empty_string",
            )
