"""What every end-to-end test is given."""

import pytest

from lab.origin import Pulled
from lab.rehearsal import Rehearsal
from lab.stage import Stage


@pytest.fixture
def stage(request):
    """Builds the scene with the arguments of `Stage`, and strikes it after the test."""
    yield from _builder(Stage, request)


@pytest.fixture
def rehearsal(request):
    """Builds the scene with the arguments of `Rehearsal`, and strikes it after the test."""
    yield from _builder(Rehearsal, request)


@pytest.fixture
def pulled(request):
    """Builds the scene with the arguments of `Pulled`, and strikes it after the test."""
    yield from _builder(Pulled, request)


def _builder(scenery, request):
    built = []

    def build(**what):
        built.append(scenery(**what))
        return built[-1]

    yield build
    for scene in built:
        if getattr(request.node, "failed", False):
            print(*(program.tail() for program in scene.programs()), sep="\n\n")
        scene.strike()


def pytest_configure(config):
    """Names the mark of tests that begin first."""
    config.addinivalue_line("markers", "long: takes half a minute or more, and begins first")


def pytest_collection_modifyitems(items):
    """Long tests come first, so that no worker has one left at the end. One of them makes a Debian
    image; the other tests that need it come last."""

    def place(item):
        long, image = item.get_closest_marker("long") is not None, "tree" in item.fixturenames
        return (not long, image != long)

    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Remembers a failure, so that the fixture can show what the programs said."""
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True
