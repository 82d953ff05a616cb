"""``python -m bridge.reference`` prints docs/configuration.md, made from the settings."""

import sys

from bridge.settings import default_text, knobs

HEAD = """# Configuration

<!-- Made by `make docs` from bridge/settings.py; edit that. -->

A flag wins over the environment, the environment over a `.env` file in the working directory.
Where a knob has two names in the environment, either works; the first one wins.
"""


def configuration() -> str:
    """The whole document."""
    lines = [HEAD]
    group = ""
    for named in sorted(knobs(), key=lambda named: _order(named.knob.group)):
        knob = named.knob
        if knob.group != group:
            group = knob.group
            lines += [f"\n## {group}\n", "| flag | environment | default | what it does |"]
            lines.append("|---|---|---|---|")
        flags = ", ".join(f"`{flag}`" for flag in knob.flags)
        names = ", ".join(f"`{name}`" for name in knob.env)
        what = knob.help if knob.switch else f"{knob.help} `{knob.metavar}`"
        cells = (flags, names, default_text(named), what)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _order(group: str) -> int:
    return list(dict.fromkeys(named.knob.group for named in knobs())).index(group)


if __name__ == "__main__":
    sys.stdout.write(configuration())
