"""The command ``bridge``: flags and environment → settings → a running server."""

import asyncio
import logging
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from bridge import __version__
from bridge.settings import (
    NamedKnob,
    Settings,
    default_text,
    is_loopback,
    knobs,
)

if TYPE_CHECKING:
    from bridge.web.lifecycle import Listening


class _Parsed(click.ParamType[Any]):
    """A click type that parses with a knob's own parser."""

    def __init__(self, named: NamedKnob) -> None:
        self.name = named.knob.metavar
        self._parse = named.knob.parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _GroupedCommand(click.Command):
    """Help with the options under the headings of their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        by_name = {named.name: named for named in knobs()}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            named = by_name.get(param.name or "")
            if record is not None:
                group = named.knob.group if named else "Other"
                groups.setdefault(group, []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)


def _option(named: NamedKnob) -> click.Option:
    knob = named.knob
    shared: dict[str, Any] = {
        "envvar": list(knob.env),
        "default": None,
        "help": f"{knob.help} [default: {default_text(named)}] [{', '.join(knob.env)}]",
    }
    if knob.switch:
        return click.Option([*knob.flags, named.name], is_flag=True, **shared)
    return click.Option(
        [*knob.flags, named.name], type=_Parsed(named), metavar=knob.metavar, **shared
    )


def settings_from(given: dict[str, Any]) -> Settings:
    """Settings from what was given; what was not keeps its default."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


def _main(**given: Any) -> None:
    from bridge.web.lifecycle import serve
    from bridge.web.runtime import StartupError

    settings = settings_from(given)
    configure_logging(verbose=settings.verbose)
    try:
        asyncio.run(serve(settings, announce=lambda up: announce(settings, up)))
    except StartupError as error:
        raise click.ClickException(str(error)) from None


def announce(settings: Settings, listening: "Listening") -> None:
    """Tell the person where the server is and what to do next."""
    from bridge.web.keys import ENGINE

    login = listening.app[ENGINE].account.login
    everywhere = settings.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
    host = "127.0.0.1" if everywhere else settings.host
    url = f"http://[{host}]" if ":" in host else f"http://{host}"
    url = f"{url}:{listening.port}"
    lines = [f"bridge {__version__} listens on {url}"]
    if everywhere:
        lines.append("… and on every other address of this machine.")
    if settings.port is None and listening.port != 8000:
        lines.append(f"Port 8000 is taken; this is the next free one: {listening.port}.")
    if settings.demo:
        lines.append("The demo model answers: no login, no cost, nothing leaves this machine.")
    elif login.logged_in:
        lines.append(f"Claude answers, by the login of Claude Code ({login.method}).")
    else:
        lines += [
            "Claude Code is not logged in on this machine, so chat requests will get 503.",
            f"Log in with `{_claude(listening)} auth login` (`claude login` in older versions),",
            "or set ANTHROPIC_API_KEY, or Bedrock or Vertex credentials.",
            "To try the server without a login: bridge --demo",
        ]
        if login.error:
            lines.append(login.error)
    if not is_loopback(settings.host) and not settings.api_keys:
        lines.append("Warning: no API key is set, so everybody who reaches this port may use it.")
    lines.append(f"OpenAI base URL: {url}/v1   Ctrl-C stops.")
    click.echo("\n".join(lines), err=False)
    sys.stdout.flush()


def _claude(listening: "Listening") -> str:
    """What to type for Claude Code: its name, or where it is when no shell would find it."""
    from bridge.web.keys import ENGINE

    return "claude" if shutil.which("claude") else str(listening.app[ENGINE].account.launch.cli)


def configure_logging(*, verbose: bool) -> None:
    """Log lines to standard error: readable on a terminal, JSON otherwise."""
    level = logging.DEBUG if verbose else logging.INFO
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            last,
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bridge").setLevel(level)
    if not verbose:  # it calls every process that we kill a fatal error
        logging.getLogger("claude_agent_sdk").setLevel(logging.CRITICAL)


def command() -> click.Command:
    """The command, made from the declaration of the settings."""
    options: list[click.Parameter] = [_option(named) for named in knobs()]
    options.append(
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Print the version and leave.",
        )
    )
    return _GroupedCommand(
        "bridge",
        callback=_main,
        params=options,
        help="OpenAI's API, answered by Claude through the official Claude Agent SDK.",
        epilog="A flag wins over the environment, the environment over a .env file in the working "
        "directory.",
    )


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value and not ctx.resilient_parsing:
        click.echo(f"bridge {__version__}")
        ctx.exit()


def main() -> None:
    """The console script."""
    from dotenv import load_dotenv

    if load_dotenv(".env", override=False):
        click.echo(f"Settings are also read from {Path('.env').absolute()}", err=True)
    command().main()
