"""bash, zsh and fish complete the commands, options and names of dynrelay."""

import pytest

from lab.manual import helped
from lab.shell import PROMPT, Bash, Fish, Zsh

SHELLS = pytest.mark.parametrize("kind", [Bash, Zsh, Fish])

_TITLE = 'title = "The news: \\"$1\\", at ten"\n'


@pytest.fixture
def testbed(light_testbed):
    """Two streams for the edge dss2. The title of one has characters that shells interpret."""
    return light_testbed(streams=2, files={"s01.toml": _TITLE})


@SHELLS
def test_a_shell_offers_exactly_the_commands_and_options_of_the_help(testbed, kind):
    expected = helped()
    assert len(expected) > 15 and "check" in expected["sdp",][0], expected
    ways = [" ".join(["dynrelay", *way]) for way in expected]
    answers = kind(testbed["origin"]).offers([f"{way} {end}" for way in ways for end in ("", "--")])
    for (way, (commands, options)), words, dashed in zip(expected.items(), answers[::2], answers[1::2]):
        assert dashed == options, way
        if commands:
            assert {word for word in words if word[0] != "-"} == commands, way


@SHELLS
def test_a_shell_offers_the_daemons_streams_and_edges(testbed, kind):
    expected = {
        "dynrelay show ": {"s01", "s02"},
        "dynrelay stop s01 ": {"dss2"},
        "dynrelay stop s0": {"s01", "s02"},
        "dynrelay show s01/": {"s01/dss2"},
        "dynrelay start s02 --edge ": {"dss2"},
        "dynrelay report --stream s": {"s01", "s02"},
        "dynrelay completions ": {"bash", "zsh", "fish"},
    }
    answers = kind(testbed["origin"]).offers(list(expected))
    offered = [{word for word in words if word[0] != "-"} for words in answers]
    assert dict(zip(expected, offered)) == expected


@SHELLS
def test_tab_completes_a_command_and_a_relay(testbed, kind):
    terminal = kind(testbed["origin"]).terminal()
    typed = len(terminal.text)
    terminal.type("dynrelay stre\t--js\t\r")
    terminal.wait_for_text('"name":"s01"', typed)
    terminal.wait_for_text(PROMPT, terminal.text.index('"name":"s01"'))
    terminal.type("dynrelay show s02/\t\r")
    terminal.wait_for_text("s02/dss2 is not relayed now", typed)
