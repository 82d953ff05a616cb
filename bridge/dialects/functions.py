"""What every dialect asks of a function: a name, and a schema of its arguments."""

import re

from bridge.core.errors import InvalidRequest
from bridge.core.schema import schema_fault
from bridge.dialects.policy import JsonObject

_NAME = re.compile("[a-zA-Z0-9_-]+")
_NOT_AT_THE_ROOT = ("anyOf", "oneOf", "allOf", "enum", "not")  # the Messages API refuses them


def check_name(name: str, path: str, longest: int = 64) -> None:
    """Raises :class:`InvalidRequest` for a name that a function can't have."""
    if _NAME.fullmatch(name) is None or len(name) > longest:
        raise InvalidRequest(
            f"'{path}' must be made of 1 to {longest} letters (a-z, A-Z), digits, underscores and "
            f"hyphens, but it is {name[:100]!r}.",
            param=path,
            code="invalid_value",
        )


def object_schema(schema: JsonObject, path: str, *, code: str) -> JsonObject:
    """The schema as it is, once it is sure to be one, and an object's.

    ``path`` is where it stands, ``code`` that of the error for a schema that is not to be had:
    raises :class:`InvalidRequest`.
    """
    if fault := schema_fault(schema):
        where = f"{path}{fault.path}"[:300]
        raise InvalidRequest(
            f"'{where}' is malformed JSON Schema: {fault.problem}.", param=where, code=code
        )
    kind = schema.get("type", "object")
    if kind != "object":
        raise InvalidRequest(
            f"'{path}.type' must be 'object', but it is {kind!r}. Put what is not an object "
            "into a property of one.",
            param=f"{path}.type",
            code=code,
        )
    for keyword in _NOT_AT_THE_ROOT:
        if keyword in schema:
            raise InvalidRequest(
                f"'{path}.{keyword}': the Messages API takes no '{keyword}' at the top level of a "
                "schema. Put it into a property.",
                param=f"{path}.{keyword}",
                code=code,
            )
    return schema if "type" in schema else {"type": "object", **schema}
