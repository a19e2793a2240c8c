"""``--one-per-folder``: of each folder the first test that passes, to see on a new machine that nothing is missing."""

from __future__ import annotations

import pytest

_passed_folders: set[str] = set()


def _folder(nodeid: str) -> str:
    return nodeid.split("::")[0].rpartition("/")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-per-folder", action="store_true", help="of each folder, run tests until one passes")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if not session.config.getoption("--one-per-folder") or session.config.option.collectonly:
        return None
    if session.testsfailed:
        raise session.Interrupted(f"{session.testsfailed} errors during collection")
    for item in session.items:
        if _folder(item.nodeid) not in _passed_folders:
            # Which test comes next is not known before this one's end, so no fixture outlives it.
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed_folders.add(_folder(report.nodeid))
