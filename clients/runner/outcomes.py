"""What became of a suite's tests, and whether that is well."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from attrs import define, field, frozen
from suites import Suite


@define(kw_only=True)
class Outcome:
    """The counts of a suite. ``problems`` are what no count shows; each of them is a failure."""

    suite: Suite
    versions: str = ""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    problems: list[str] = field(factory=list)

    @property
    def is_well(self) -> bool:
        """Whether all is as it must be."""
        return not (self.failed or self.problems)


@frozen
class _Case:
    name: str
    result: str  # passed, failed, skipped
    why: str


def read_report(outcome: Outcome, report: Path, *, whole: bool) -> None:
    """Count what the suite's JUnit file says, and compare its skips with those that are listed.

    A suite that did not run ``whole`` is not asked for the skips that did not happen.
    """
    cases = list(_cases(report)) if report.is_file() else []
    for result in ("passed", "failed", "skipped"):
        setattr(outcome, result, sum(case.result == result for case in cases))
    if not outcome.passed + outcome.failed:
        outcome.problems.append("no test ran")
    listed = _listed(outcome.suite)
    happened = {case.name: case.why for case in cases if case.result == "skipped"}
    outcome.problems += [
        f"skipped without a reason in skips.toml: {name} ({why})"
        for name, why in happened.items()
        if name not in listed
    ]
    outcome.problems += [
        f"stale in skips.toml, for it was not skipped: {name}"
        for name in sorted(listed)
        if whole and name not in happened
    ]


def _cases(report: Path) -> Iterator[_Case]:
    root = ET.parse(report).getroot()  # noqa: S314 - our own test runners wrote it
    for element in root.iter("testcase"):
        name = f"{element.get('classname')}.{element.get('name')}"
        skipped = element.find("skipped")
        if element.find("failure") is not None or element.find("error") is not None:
            yield _Case(name, "failed", "")
        elif skipped is not None:
            yield _Case(name, "skipped", skipped.get("message") or skipped.get("type") or "")
        else:
            yield _Case(name, "passed", "")


def _listed(suite: Suite) -> set[str]:
    """The names of the tests that may be skipped, since a reason is told."""
    path = suite.root / "skips.toml"
    skips = tomllib.loads(path.read_text()).get(suite.name, []) if path.is_file() else []
    return {name for skip in skips if skip["reason"].strip() for name in skip["tests"]}


def table(outcomes: list[Outcome]) -> str:
    """All suites, a line each."""
    lines = [f"{'client':14} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}"]
    for outcome in outcomes:
        mark = "" if outcome.is_well else "  !"
        lines.append(
            f"{outcome.suite.name:14} {outcome.passed:7} {outcome.failed:7} {outcome.skipped:8} "
            f"{outcome.seconds:8.1f}  {outcome.versions}{mark}"
        )
    lines += [
        f"! {outcome.suite.name}: {problem}" for outcome in outcomes for problem in outcome.problems
    ]
    passed, failed, skipped = (
        sum(getattr(outcome, result) for outcome in outcomes)
        for result in ("passed", "failed", "skipped")
    )
    return "\n".join([*lines, f"{passed} passed, {failed} failed, {skipped} skipped"])
