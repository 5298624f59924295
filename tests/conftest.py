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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Remembers a failure, so that the fixture can show what the programs said."""
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True
