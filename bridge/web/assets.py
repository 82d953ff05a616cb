"""Where templates/ and static/ are: inside the installed package, or beside it in the sources."""

from pathlib import Path

import bridge


def _folder(name: str) -> Path:
    package = Path(bridge.__file__).parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name


def templates_folder() -> Path:
    """The Jinja templates."""
    return _folder("templates")


def static_folder() -> Path:
    """The files that are served as they are."""
    return _folder("static")
