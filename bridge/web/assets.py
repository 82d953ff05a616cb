"""Where templates/ and static/ are: inside the installed package, or beside it in the sources."""

from pathlib import Path

from aiohttp import web

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


def static_files() -> tuple[str, ...]:
    """Their names, those in folders with a slash."""
    root = static_folder()
    return tuple(sorted(f.relative_to(root).as_posix() for f in root.rglob("*") if f.is_file()))


async def static_file(request: web.Request) -> web.FileResponse:
    """``GET /static/{name}``, which a browser may keep and asks about."""
    name = request.path.removeprefix("/static/")
    return web.FileResponse(static_folder() / name, headers={"Cache-Control": "no-cache"})
