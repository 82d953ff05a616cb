"""What is taken over from the person's own Claude settings: the default model, and the login.

The CLI reads none of those settings when it works for us (``--setting-sources=``), so that a hook,
a permission or a plugin there can't reach a client. But ``claude auth status`` does read them, and
a login may be nothing but a line in them; without these few the two would disagree.
"""

import json
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from bridge.claude.options import API_KEY_VARIABLES, config_dir, inherited_environment
from bridge.settings import AuthMethod

LOGIN_SETTINGS = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport")
"""Settings that name a command of the person's own which gives or renews a login."""


@frozen(kw_only=True)
class OwnSettings:
    """``environment`` holds only variables that Claude Code would inherit from us as well."""

    model: str | None = None
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    login: Mapping[str, str] = field(factory=dict, repr=False)

    def for_login(self, method: AuthMethod | None, environment: Mapping[str, str]) -> "OwnSettings":
        """Only the commands that belong to the chosen way to log in."""
        wanted = set(LOGIN_SETTINGS)
        if method not in {None, AuthMethod.BEDROCK}:
            wanted -= {"awsAuthRefresh", "awsCredentialExport"}
        has_key = any(environment.get(name) for name in API_KEY_VARIABLES)
        if method not in {None, AuthMethod.API_KEY} or (method is AuthMethod.API_KEY and has_key):
            wanted.discard("apiKeyHelper")
        return evolve(self, login={n: v for n, v in self.login.items() if n in wanted})


def read_own_settings(environment: Mapping[str, str]) -> OwnSettings:
    """Read ``settings.json``; what is missing there, or not as it should be, counts as not set."""
    settings = _load(environment)
    variables = settings.get("env")
    named = variables if isinstance(variables, dict) else {}
    return OwnSettings(
        model=environment.get("ANTHROPIC_MODEL") or _text(settings.get("model")),
        environment=inherited_environment({n: v for n, v in named.items() if isinstance(v, str)}),
        login={name: text for name in LOGIN_SETTINGS if (text := _text(settings.get(name)))},
    )


def _load(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        text = (config_dir(environment) / "settings.json").read_text(encoding="utf-8")
        settings = json.loads(text)
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
