"""The flag with which the goldens are written anew: `pytest tests/nodes --refresh-goldens`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refresh-goldens", action="store_true", help="write tests/nodes/*/report.json and report.md anew"
    )


@pytest.fixture
def refresh(request: pytest.FixtureRequest) -> bool:
    """Whether to write goldens; a run of all tests loads this file too late to know the flag."""
    return bool(request.config.getoption("--refresh-goldens", default=False))
