"""Bytes of a completion request → turns, one for each prompt, or an error that names the field."""

from attrs import frozen

from bridge.core.conversation import Message, Role, Text, Turn
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai.parameters import WireParameters, refuse_tokens, sampling
from bridge.dialects.policy import AsksNothing, Policy, invalid, only_session
from bridge.dialects.wire import Fault, hardened_converter, load_object, string_or, unread

MAX_PROMPTS = 16
"""Most prompts of a request; each is a turn of its own."""

INSTRUCTION = (
    "The user's message is the beginning of a text. Go on with it from the very character where it "
    "ends; if it is an instruction, carry it out. Write what follows and nothing else: no "
    "introduction, no comment, no code fence, nothing of the text itself."
)
"""The system prompt, except in a session, which may have its own. Models for chat would talk about
the text instead."""

POLICY = Policy(
    refused={
        "suffix": AsksNothing(("",)),
        "n": AsksNothing((1,)),
        "best_of": AsksNothing((1,)),
        "logprobs": AsksNothing(),
        "logit_bias": AsksNothing(({},)),
    },
    ignored={
        "seed": AsksNothing(),
        "presence_penalty": AsksNothing((0,)),
        "frequency_penalty": AsksNothing((0,)),
        "user": AsksNothing(),
        "stream_options.include_obfuscation": AsksNothing((False,)),
    },
)
"""What becomes of the fields that are not honoured."""


@frozen(kw_only=True)
class WireRequest(WireParameters):
    """The fields that are honoured. All others: :data:`POLICY`."""

    prompt: str | tuple[str, ...]
    echo: bool | None = None


@frozen(kw_only=True)
class CompletionRequest:
    """A decoded request: a turn for each of the ``prompts``, which ``echo`` puts before the answer.

    ``ignored`` and ``changed`` are as in :class:`bridge.dialects.openai_chat.ChatRequest`.
    """

    turns: tuple[Turn, ...]
    prompts: tuple[str, ...]
    stream: bool
    include_usage: bool
    echo: bool = False
    ignored: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


_CONVERTER = hardened_converter()
string_or(_CONVERTER, str | tuple[str, ...], list, tuple[str, ...], "an array of strings")


def decode(body: bytes, *, session: str | None = None) -> CompletionRequest:
    """Decode a request; ``session`` is the one that it was sent to by other means than its body.

    Raises :class:`bridge.core.errors.InvalidRequest`, with ``param`` set to the path of the field
    at fault.
    """
    raw = load_object(body)
    POLICY.check(raw)
    try:
        refuse_tokens(raw.get("prompt"), "prompt")
        wire: WireRequest = _CONVERTER.structure(raw, WireRequest)
    except Fault as fault:
        raise fault.as_error() from None
    prompts = _prompts(wire.prompt)
    session = only_session(session, wire.session_id)
    if session is not None and len(prompts) > 1:
        raise invalid("'prompt': a session goes on with one prompt at a time.", "prompt")
    asked, changed = sampling(wire)
    return CompletionRequest(
        turns=tuple(
            Turn(
                messages=(Message(role=Role.USER, parts=(Text(text=prompt),)),),
                system=(INSTRUCTION,) if session is None else (),
                model=wire.model or None,
                sampling=asked,
                session=session,
                ends=True,
            )
            for prompt in prompts
        ),
        prompts=prompts,
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        echo=bool(wire.echo),
        ignored=POLICY.names_ignored(unread(raw, wire)),
        changed=changed,
    )


def _prompts(prompt: str | tuple[str, ...]) -> tuple[str, ...]:
    prompts = (prompt,) if isinstance(prompt, str) else prompt
    if not prompts:
        raise InvalidRequest("'prompt' is empty.", param="prompt", code="empty_array")
    if len(prompts) > MAX_PROMPTS:
        raise invalid(
            f"'prompt' takes up to {MAX_PROMPTS} prompts, but there are {len(prompts)}.", "prompt"
        )
    for index, text in enumerate(prompts):
        if not text.strip():
            where = "prompt" if isinstance(prompt, str) else f"prompt[{index}]"
            raise invalid(f"'{where}' must hold more than white space.", where)
    return prompts
