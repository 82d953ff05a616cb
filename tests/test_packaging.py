"""The wheel is whole: it serves its pages from any directory."""

import asyncio
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import aiohttp
import pytest

ROOT = Path(__file__).parent.parent


async def command(*argv: str, cwd: Path) -> str:
    """Run to the end; what it printed."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "PIP_NO_INDEX": "1"},
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


@pytest.fixture(scope="module")
async def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built, source = folder / "built", folder / "source"
    for name in ("bridge", "templates", "static"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    await command(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built)),
        str(source),
        cwd=folder,
    )
    (path,) = built.glob("*.whl")
    return path


async def test_the_wheel_holds_every_module_template_and_asset(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bridge").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for folder in ("templates", "static"):
        expected |= {
            f"bridge/{path.relative_to(ROOT)}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
        }
    assert expected <= names
    assert not [name for name in names if name.startswith(("tests", "examples", "benchmarks"))]


async def test_an_installed_wheel_serves_from_any_directory(wheel: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    await command(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)),
        str(wheel),
        cwd=elsewhere,
    )
    environ = {"PATH": os.environ["PATH"], "HOME": str(elsewhere), "PYTHONPATH": str(site)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "--demo", "--port", "0", "--pool-size", "0"),
        stdout=asyncio.subprocess.PIPE,
        env=environ,
        cwd=elsewhere,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            said = (await process.stdout.readline()).decode()
        url = re.findall(r"http://\S+", said)[0]
        async with aiohttp.ClientSession() as http:
            async with http.get(url) as response:
                page = await response.text()
                assert response.status == 200
            for asset in re.findall(r'"(/static/[^"]+)"', page):
                async with http.get(url + asset) as response:
                    assert response.status == 200
        assert "/static/" in page
    finally:
        process.terminate()
        await process.wait()
    where = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import bridge; print(bridge.__file__)"),
        stdout=asyncio.subprocess.PIPE,
        env=environ,
        cwd=elsewhere,
    )
    out, _ = await where.communicate()
    assert Path(out.decode().strip()).is_relative_to(site)
