"""The components of the OpenAPI document: those of the dialects, and what is answered here."""

import functools
from typing import Any

from bridge.dialects import (
    anthropic_messages,
    openai_chat,
    openai_completions,
    openai_embeddings,
)
from bridge.dialects.notes import COUNT, ID_LIMITS, SECONDS, TEXT
from bridge.dialects.openai.schemas import COMPONENTS as COMMON
from bridge.dialects.schemas import Notes, Schema, derived, nullable, record, ref
from bridge.sessions.session import State
from bridge.web.sessions import ForkRequest

_TIME: Schema = {"type": "string", "format": "date-time"}
_NUMBER: Schema = {"type": "number", "minimum": 0}
_NAMES: Schema = {"type": "array", "items": TEXT}
_TALLIES: Schema = {"type": "object", "additionalProperties": ref("Tally")}
_BYTES = COUNT | {"description": "In bytes."}

_FORK: Notes = {
    ForkRequest: {
        "": {"additionalProperties": False},
        "session_id": {
            "description": "The new session's id; without it one is made up.",
            **ID_LIMITS,
        },
        "message_count": {
            "description": "How many of the messages the new session begins with: up to the end of "
            "an answer. Without it all.",
            "minimum": 1,
        },
    }
}

_PROCESSES = record(
    "Processes in the same state.",
    count=COUNT,
    memory_bytes=COUNT | {"description": "Resident memory of all."},
    memory_bytes_each={"type": "array", "items": COUNT},
)

_OURS: dict[str, Schema] = {
    "Session": record(
        "A conversation that the server remembers.",
        session_id=TEXT,
        created_at=_TIME,
        last_accessed=_TIME,
        expires_at=_TIME,
        message_count=COUNT,
        model=nullable(TEXT) | {"description": "The name that was asked for last."},
        state={
            "enum": list(State),
            "description": "A process holds it (`live`), a turn runs (`busy`), it waits for the "
            "results of calls (`waiting`), or its history is all there is (`parked`).",
        },
        usage=ref("Usage") | {"description": "Of all its turns."},
    ),
    "SessionList": record(
        "Your sessions, the most recently used first.",
        sessions={"type": "array", "items": ref("Session")},
        total=COUNT,
    ),
    "SessionMessages": record(
        "A session's history, in the form in which it can be sent again.",
        session_id=TEXT,
        messages={
            "type": "array",
            "items": {
                "oneOf": [
                    ref(f"Chat{role}Message") for role in ("System", "User", "Assistant", "Tool")
                ]
            },
        },
        total=COUNT | {"description": "How many the server counts, the system prompt left out."},
    ),
    "SessionStats": record(
        "Your sessions in numbers, and the server's processes.",
        session_stats=record(
            "Of your own.",
            active_sessions=COUNT | {"description": "All that there are."},
            live_sessions=COUNT | {"description": "Those of them that a process holds."},
            busy_sessions=COUNT | {"description": "Those with a turn that runs."},
            waiting_sessions=COUNT | {"description": "Those that wait for the results of calls."},
            parked_sessions=COUNT | {"description": "Those of which only the history is there."},
            expired_sessions=COUNT | {"description": "Since the server started."},
            total_messages=COUNT,
            total_bytes=_BYTES,
        ),
        cleanup_interval_minutes=_NUMBER,
        default_ttl_hours=_NUMBER | {"description": "How long a session lives after its last use."},
        matched_requests=COUNT
        | {"description": "Requests without a session that went on in a kept process."},
        processes=record(
            "Claude Code's processes, by what they do.",
            **dict.fromkeys(("ready", "running", "idle", "waiting"), _PROCESSES),
        ),
        limits=record(
            "What the server was started with.",
            max_live=COUNT,
            max_concurrent=COUNT,
            pool_size=COUNT,
            max_queue=COUNT,
        ),
        queue=record("Requests for answers, now.", running=COUNT, waiting=COUNT),
        spawn_ms=record(
            "How long the last processes took to start, in milliseconds.",
            count=COUNT,
            median=nullable(_NUMBER),
            longest=nullable(_NUMBER),
        ),
        faults={
            "type": "object",
            "description": "Turns that failed, by the code of the error.",
            "additionalProperties": COUNT,
        },
        server_memory_bytes=_BYTES,
    ),
    "Deleted": record(
        "Done.",
        ["deleted"],
        message=TEXT,
        deleted=COUNT | {"description": "How many, where it could be several."},
    ),
    "Model": record(
        "A name that a request may have as its `model`.",
        ["alias_of"],
        id=TEXT,
        object={"const": "model"},
        type={"const": "model"},
        created=SECONDS,
        created_at=_TIME,
        owned_by=TEXT,
        display_name=TEXT,
        lifecycle=TEXT,
        alias_of=TEXT | {"description": "The model that the name leads to, if it has another."},
    ),
    "ModelList": record(
        "The models that this login may use, and the names that lead to them.",
        object={"const": "list"},
        data={"type": "array", "items": ref("Model")},
        first_id=nullable(TEXT),
        last_id=nullable(TEXT),
        has_more={"type": "boolean", "description": "Whether more come after this page."},
    ),
    "AnyError": {
        "description": "In Anthropic's shape where the request has the header `anthropic-version`.",
        "oneOf": [ref("Error"), ref("AnthropicError")],
    },
    "LoginStatus": record(
        "The server's login, as Claude Code tells it now; no secret is in it.",
        claude_code_auth=record(
            "The login.",
            method=TEXT,
            provider=TEXT,
            backend={"enum": ["claude", "demo"]},
            status=record("Whether there is one.", valid={"type": "boolean"}, errors=_NAMES),
            environment_variables={
                "type": "object",
                "description": "Which variables that decide about it are set.",
                "additionalProperties": {"type": "boolean"},
            },
        ),
        server_info=record(
            "The server.",
            api_key_required={"type": "boolean", "description": "Whether clients need a key."},
            api_key_source={"enum": ["settings", "none"]},
            version=TEXT,
        ),
    ),
    "UsageReport": record(
        "What your key has used since the server started.",
        object={"const": "usage"},
        since=_TIME,
        total=ref("Tally"),
        by_model=_TALLIES,
        by_session=_TALLIES,
        by_key=_TALLIES,
        by_day=_TALLIES,
        plan={"type": "array", "items": ref("Quota")},
    ),
    "Tally": record(
        "Turns in numbers.",
        requests=COUNT,
        failed=COUNT,
        cancelled=COUNT | {"description": "Those whose client left."},
        input_tokens=COUNT | {"description": "Those that no cache was used for."},
        cache_read_tokens=COUNT,
        cache_write_tokens=COUNT,
        output_tokens=COUNT,
        cost_usd=_NUMBER | {"description": "As Claude Code tells it, in US dollars."},
        priced_requests=COUNT | {"description": "Of how many turns it tells that."},
        first_token_ms=record(
            "How long it took from the arrival of a request until the first of the answer or of "
            "the reasoning came, in milliseconds.",
            count=COUNT | {"description": "Of how many turns."},
            mean=nullable(_NUMBER),
            longest=nullable(_NUMBER),
        ),
    ),
    "UsageSeries": record(
        "What your key has used over time.",
        object={"const": "usage.series"},
        step=COUNT | {"description": "The length of a bucket in seconds."},
        since=_TIME | {"description": "How far back it goes."},
        until=_TIME | {"description": "Now."},
        data={
            "type": "array",
            "description": "The buckets in which something happened, the oldest first.",
            "items": record(
                "A minute, an hour or a day, of UTC.",
                start=_TIME,
                by_model=_TALLIES
                | {
                    "description": "`unknown`: turns that ended before a model had begun to "
                    "answer. `other`: models beyond the first 32 of a key."
                },
            ),
        },
    ),
    "Request": record(
        "A request that has ended.",
        id=TEXT | {"description": "Its `x-request-id`."},
        time=_TIME | {"description": "When it arrived."},
        method=TEXT,
        route=TEXT
        | {
            "description": "The path as this document has it; of one that is not in it the path "
            "itself, its first 200 characters."
        },
        status=COUNT | {"description": "Of the answer; 499 if the client left before its end."},
        duration_ms=_NUMBER,
        stream={"type": "boolean"},
        model=nullable(TEXT) | {"description": "The one that answered."},
        session=nullable(TEXT) | {"description": "The session that it named; not a deleted one."},
        input_tokens=COUNT | {"description": "All of the prompt, cached ones included."},
        cached_tokens=COUNT | {"description": "Those that were read from the prompt cache."},
        output_tokens=COUNT,
        first_token_ms=nullable(_NUMBER)
        | {
            "description": "From its arrival to the first of the answer or of the reasoning, in "
            "milliseconds."
        },
        error=nullable(TEXT) | {"description": "The code of the error that it ended with."},
        cost_usd=nullable(_NUMBER)
        | {"description": "As Claude Code tells it, in US dollars; null until it does."},
        cost_of=nullable(COUNT)
        | {
            "description": "How many requests that is for: the last of a loop of calls has the "
            "cost of all, and the others have none."
        },
    ),
    "RequestList": record(
        "The last requests of your key, the one that arrived last first.",
        object={"const": "list"},
        data={"type": "array", "items": ref("Request")},
        total=COUNT | {"description": "How many there are, whatever the limit."},
    ),
    "Quota": record(
        "A window of the plan, as the model's side told it last.",
        window=TEXT,
        status=TEXT,
        utilization=nullable(_NUMBER),
        resets_at=nullable(_TIME),
        overage_status=nullable(TEXT),
        told_at=_TIME,
    ),
    "Health": record(
        "Whether the server is up.",
        status={"const": "healthy"},
        service={"const": "bridge"},
        backend={"enum": ["claude", "demo"], "description": "What answers."},
        logged_in={"type": "boolean", "description": "Whether Claude Code has a login."},
    ),
    "Version": record(
        "The server's version.",
        version=TEXT,
        service={"const": "bridge"},
        api_version=TEXT,
    ),
    "Compatibility": record(
        "What would become of a chat request: each field that was sent has one place.",
        object={"const": "compatibility"},
        endpoint=TEXT,
        accepted={"type": "boolean", "description": "Whether it would be answered."},
        model=record(
            "The model.",
            asked=nullable(TEXT) | {"description": "As the request names it."},
            answers=nullable(TEXT) | {"description": "The one that would answer."},
        ),
        honoured=_NAMES,
        neutral=_NAMES | {"description": "Fields that ask for nothing."},
        changed=_NAMES | {"description": "Fields that would be taken as something else."},
        ignored=_NAMES | {"description": "Fields without an effect."},
        undecided=_NAMES | {"description": "Fields that hang on refused ones."},
        refused={
            "type": "array",
            "items": record(
                "Why the request would be refused.",
                param=nullable(TEXT),
                status={"type": "integer", "minimum": 400, "maximum": 599},
                code=nullable(TEXT),
                message=TEXT,
            ),
        },
        model_may_refuse=_NAMES
        | {"description": "A forecast: fields that the model itself may refuse."},
    ),
    "CompatibilityRequest": {
        "description": "A chat request, or any other object: it is told what is wrong with it.",
        "anyOf": [ref("ChatRequest"), {"type": "object"}],
    },
    "Document": {"type": "object", "description": "An OpenAPI 3.1 document."},
}


@functools.cache
def components() -> dict[str, Any]:
    """Every component by its name; to be read, never changed."""
    return {
        **COMMON,
        **openai_chat.schemas(),
        **openai_completions.schemas(),
        **openai_embeddings.schemas(),
        **anthropic_messages.schemas(),
        **derived(ForkRequest, "", notes=_FORK),
        **_OURS,
    }
