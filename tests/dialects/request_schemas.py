"""The schemas of requests as validators, for tests that hold decoders against them."""

from typing import Any

import jsonschema_rs

from bridge.dialects.schemas import Schema, ref


def validator_of(name: str, components: dict[str, Schema]) -> Any:
    """A validator of one component among others."""
    schema = {**ref(name), "components": {"schemas": components}}
    return jsonschema_rs.Draft202012Validator(schema)


def faults(validator: Any, value: Any) -> list[str]:
    """What is wrong with a value, innermost causes and all."""
    return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]
