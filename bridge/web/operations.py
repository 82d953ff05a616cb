"""What is told about each endpoint: its group, parameters, schemas, errors, an example."""

from typing import Any

from attrs import evolve

from bridge.core import errors
from bridge.core.conversation import LEAST_BUDGET
from bridge.dialects.anthropic_messages import VERSIONS
from bridge.dialects.notes import ID_LIMITS
from bridge.web.account import DEFAULT_LIMIT, DEFAULT_STEP
from bridge.web.catalog import MAX_PAGE
from bridge.web.endpoint import Operation, Parameter
from bridge.web.requests import MAX_REQUESTS
from bridge.web.series import STEPS

ANSWERS = "Answers"
SESSIONS = "Sessions"
MODELS = "Models"
SERVER = "Server"

GROUPS = {
    ANSWERS: "What the model is asked. Answers come whole, or as server-sent events while they are "
    "made (`stream: true`).",
    SESSIONS: "Conversations that the server remembers, because a request named them with "
    "`session_id`. Each key has its own.",
    MODELS: "Which models there are, and under which names.",
    SERVER: "What the server tells of itself.",
}
"""The groups, in the order in which a person meets them."""

_SESSION_ERRORS = (
    errors.SessionLimit,
    errors.SessionBusy,
    errors.SessionDeleted,
    errors.StorageFault,
)
_TURN_ERRORS = (
    errors.InvalidRequest,
    errors.UnsupportedParameter,
    errors.ContextLengthExceeded,
    errors.ModelNotFound,
    errors.TooLarge,
    errors.RateLimited,
    errors.UpstreamFault,
    errors.WrongAnswer,
    errors.UpstreamRefusedLogin,
    errors.ProcessLost,
    errors.Unavailable,
    errors.NotLoggedIn,
    errors.ShuttingDown,
    errors.TurnTimeout,
    *_SESSION_ERRORS,
)
"""What can happen to a request that the model is to answer."""

_TURN_HEADERS = ("x-session-id", "x-bridge-session", "x-bridge-ignored", "x-bridge-changed")

_NAMED_SESSION = Parameter(
    name="X-Session-Id",
    place="header",
    description="The same as `session_id` in the body, percent-encoded.",
    schema={"type": "string", "minLength": 1},
)
_BUDGET = Parameter(
    name="X-Claude-Max-Thinking-Tokens",
    place="header",
    description="The most tokens to think with, 0 for not at all; for requests that say nothing "
    "else about it.",
    schema={
        "anyOf": [
            {"const": 0},
            {"type": "integer", "minimum": LEAST_BUDGET, "maximum": 999_999_999},
        ]
    },
)
_ANY_BUDGET = evolve(_BUDGET, schema={"type": "string"})
_SESSION = Parameter(
    name="id",
    place="path",
    description="The session, percent-encoded.",
    schema={"type": "string", **ID_LIMITS},
    example="ada",
)

_HELLO: dict[str, Any] = {
    "model": "sonnet",
    "messages": [{"role": "user", "content": "Hello, who are you?"}],
}

PAGE = Operation(group=SERVER, description="What this is, whether it works, what it has done.")

CHAT = Operation(
    group=ANSWERS,
    description="As OpenAI's own endpoint of that name. An answer goes on with the conversation "
    "that the request holds, or with the session that it names. Nothing is dropped in silence: "
    "what has no effect is named in `x-bridge-ignored`, what has another one in "
    "`x-bridge-changed`, and what can't be honoured is refused.",
    parameters=(_NAMED_SESSION, _BUDGET),
    request="ChatRequest",
    example=_HELLO,
    answer="ChatCompletion",
    stream="ChatCompletionChunk",
    headers=_TURN_HEADERS,
    errors=_TURN_ERRORS,
)

COMPLETIONS = Operation(
    group=ANSWERS,
    description="OpenAI's older endpoint, for clients that complete code. The model is asked to "
    "write what follows, and nothing else.",
    parameters=(_NAMED_SESSION, _BUDGET),
    request="CompletionRequest",
    example={"model": "sonnet", "prompt": "Once upon a time", "max_tokens": 100},
    answer="Completion",
    stream="CompletionChunk",
    headers=_TURN_HEADERS,
    errors=_TURN_ERRORS,
)

_MESSAGES_PARAMETERS = (
    Parameter(
        name="anthropic-version",
        place="header",
        description=f"The version of the API; `{VERSIONS[1]}` takes no sampling parameters.",
        schema={"enum": list(VERSIONS)},
    ),
    Parameter(
        name="anthropic-beta",
        place="header",
        description="Has no effect, and is named in `x-bridge-ignored`.",
    ),
    _NAMED_SESSION,
    _BUDGET,
)

MESSAGES = Operation(
    group=ANSWERS,
    description="As Anthropic's own endpoint of that name, for the official clients. Sessions, and "
    "the headers that say what became of a request, are those of chat completions.",
    parameters=_MESSAGES_PARAMETERS,
    request="MessagesRequest",
    example={**_HELLO, "max_tokens": 1024},
    answer="Message",
    stream="MessageEvent",
    headers=("request-id", *_TURN_HEADERS),
    error="AnthropicError",
    errors=_TURN_ERRORS,
)

COUNT_TOKENS = Operation(
    group=ANSWERS,
    description="The API's own count, which takes an API key on the server's side; with another "
    "login the answer is `501`, and never an estimate. A session's history counts.",
    parameters=_MESSAGES_PARAMETERS,
    request="MessagesConversation",
    example=_HELLO,
    answer="TokenCount",
    headers=("request-id", "x-bridge-ignored", "x-bridge-changed"),
    error="AnthropicError",
    errors=(
        errors.NotProvided,
        errors.NotLoggedIn,
        errors.ShuttingDown,
        errors.ContextLengthExceeded,
        errors.ModelNotFound,
        errors.TooLarge,
        errors.RateLimited,
        errors.UpstreamFault,
        errors.UpstreamRefusedLogin,
        errors.Unavailable,
    ),
)

EMBEDDINGS = Operation(
    group=ANSWERS,
    description="By a model of this machine, or by another server, as the server was started; with "
    "neither the answer is `501`.",
    request="EmbeddingsRequest",
    example={"model": "text-embedding-3-small", "input": ["Fresh bread", "Warm rolls"]},
    answer="EmbeddingList",
    headers=("x-bridge-ignored",),
    errors=(
        errors.NotProvided,
        errors.UnsupportedParameter,
        errors.ModelNotFound,
        errors.TooLarge,
        errors.RateLimited,
        errors.UpstreamFault,
        errors.UpstreamRefusedLogin,
        errors.Unavailable,
        errors.TurnTimeout,
    ),
)

COMPATIBILITY = Operation(
    group=ANSWERS,
    description="The body is that of a chat request, and need not be one that can be answered: "
    "what is wrong with it is told. The model is not asked.",
    parameters=(_NAMED_SESSION, _ANY_BUDGET),
    request="CompatibilityRequest",
    example={**_HELLO, "temperature": 1.5, "seed": 7, "n": 2},
    answer="Compatibility",
)

LIST_SESSIONS = Operation(group=SESSIONS, answer="SessionList")

SESSION_STATS = Operation(
    group=SESSIONS,
    description="The sessions are those of the key; the processes and the queue are the server's.",
    answer="SessionStats",
)

GET_SESSION = Operation(
    group=SESSIONS,
    description="To read about it does not make it live longer.",
    parameters=(_SESSION,),
    answer="Session",
    errors=(errors.SessionNotFound,),
)

SESSION_MESSAGES = Operation(
    group=SESSIONS,
    description="As they can be sent to chat completions again; without the model's reasoning.",
    parameters=(_SESSION,),
    answer="SessionMessages",
    errors=(errors.SessionNotFound,),
)

FORK_SESSION = Operation(
    group=SESSIONS,
    description="Both go on by themselves from there.",
    parameters=(_SESSION,),
    request="ForkRequest",
    may_be_empty=True,
    example={"session_id": "ada-2"},
    status=201,
    answer="Session",
    headers=("x-session-id", "x-bridge-session"),
    errors=(
        errors.SessionNotFound,
        errors.SessionLimit,
        errors.SessionDeleted,
        errors.StorageFault,
    ),
)

DELETE_SESSION = Operation(
    group=SESSIONS,
    description="A turn of it that runs is ended.",
    parameters=(_SESSION,),
    answer="Deleted",
    errors=(errors.SessionNotFound, errors.StorageFault),
)

DELETE_SESSIONS = Operation(
    group=SESSIONS,
    description="Those of the key alone; turns of them that run are ended.",
    answer="Deleted",
    errors=(errors.StorageFault,),
)

LIST_MODELS = Operation(
    group=MODELS,
    description="One list for OpenAI's and Anthropic's clients; pages are for the latter.",
    parameters=(
        Parameter(
            name="limit",
            place="query",
            description="The most models of a page.",
            schema={"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
        ),
        Parameter(
            name="after_id",
            place="query",
            description="The page after this model; not beside `before_id`.",
        ),
        Parameter(name="before_id", place="query", description="The page before this model."),
    ),
    answer="ModelList",
    error="AnyError",
    errors=(errors.NotLoggedIn,),
)

GET_MODEL = Operation(
    group=MODELS,
    parameters=(
        Parameter(
            name="id",
            place="path",
            description="A name of the list.",
            schema={"type": "string", "minLength": 1},
            example="sonnet",
        ),
    ),
    answer="Model",
    error="AnyError",
    errors=(errors.ModelNotFound, errors.NotLoggedIn),
)

AUTH_STATUS = Operation(group=SERVER, answer="LoginStatus")

USAGE = Operation(
    group=SERVER,
    description="By model, session and day; and the windows of the plan, where the model's side "
    "has told of them.",
    answer="UsageReport",
)

USAGE_SERIES = Operation(
    group=SERVER,
    description="From memory: the last 3 hours by the minute, the last 7 days by the hour, the "
    "last 90 days by the day, as far back as the server's start. A cost counts when it is told.",
    parameters=(
        Parameter(
            name="step",
            place="query",
            description=f"The length of a bucket in seconds; {DEFAULT_STEP} without it.",
            schema={"type": "integer", "enum": list(STEPS)},
        ),
    ),
    answer="UsageSeries",
)

LIST_REQUESTS = Operation(
    group=SERVER,
    description=f"The last {MAX_REQUESTS} that have ended, from memory; never a word of what was "
    "said. What needs no key is not listed, nor is a `GET` with the header `X-Bridge-Refresh: 1`, "
    "by which a page that asks again and again says so.",
    parameters=(
        Parameter(
            name="limit",
            place="query",
            description=f"The most that are given; {DEFAULT_LIMIT} without it.",
            schema={"type": "integer", "minimum": 1, "maximum": MAX_REQUESTS},
        ),
    ),
    answer="RequestList",
)

GET_REQUEST = Operation(
    group=SERVER,
    description="The last that had this id, if a client gave it to several.",
    parameters=(
        Parameter(
            name="id",
            place="path",
            description="Its `x-request-id`.",
            schema={"type": "string", "minLength": 1},
            example="req_hello",
        ),
    ),
    answer="Request",
    errors=(errors.RequestNotFound,),
)

HEALTH = Operation(group=SERVER, answer="Health")

VERSION = Operation(group=SERVER, answer="Version")

OPENAPI = Operation(
    group=SERVER,
    description="This description, for programs.",
    answer="Document",
)

DOCS = Operation(group=SERVER, description="The same for people.")
