"""The manual pages are sound, by two readers of them."""

import subprocess

import pytest

from lab.programs import PROJECT

PAGES = sorted((PROJECT / "share/man").glob("*.[1-8]"))


def said(*command):
    """What a command has to complain of."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manual_page_has_no_fault(page):
    assert said("mandoc", "-Tlint", "-Wwarning", page) == []
    # groff as man-db runs it, but for what it shows.
    assert said("groff", "-ww", "-mandoc", "-Tutf8", "-rLL=78n", "-Kutf8", "-z", page) == []
