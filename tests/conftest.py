"""The fixtures of the end-to-end tests, and the order in which the tests run."""

import pytest

from lab.full_testbed import FullTestbed
from lab.light_testbed import LightTestbed
from lab.pull_testbed import PullTestbed


@pytest.fixture
def full_testbed(request):
    """Builds a `FullTestbed` with the arguments of its `build`, and ends it after the test."""
    yield from _builder(FullTestbed, request)


@pytest.fixture
def light_testbed(request):
    """Builds a `LightTestbed` with the arguments of its `build`, and ends it after the test."""
    yield from _builder(LightTestbed, request)


@pytest.fixture
def pull_testbed(request):
    """Builds a `PullTestbed` with the arguments of its `build`, and ends it after the test."""
    yield from _builder(PullTestbed, request)


def _builder(kind, request):
    built = []

    def build(**options):
        built.append(kind(**options))
        return built[-1]

    yield build
    for testbed in built:
        if getattr(request.node, "failed", False):
            print(*(program.tail() for program in testbed.programs()), sep="\n\n")
        testbed.end()


def pytest_configure(config):
    """Names the mark of tests that begin first."""
    config.addinivalue_line("markers", "long: takes half a minute or more, and begins first")


def pytest_collection_modifyitems(items):
    """Long tests come first, so that no worker has one left at the end. One of them makes a Debian
    image; the other tests that need it come last."""

    def place(item):
        long, image = item.get_closest_marker("long") is not None, "debian" in item.fixturenames
        return (not long, image != long)

    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Remembers a failure, so that the fixture can print the programs' output."""
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True
