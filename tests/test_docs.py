"""Documents and messages name files, tests and commands that exist."""

import re

import pytest

from lab.manual import helped, source
from lab.binaries import PROJECT

DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), PROJECT / "tests/README.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_file_that_a_document_names_exists(document):
    text = document.read_text()
    links = re.findall(r"\]\(([^)#:]+)\)|src(?:set)?=\"([^\":]+)\"", text)
    for link in filter(None, (one or other for one, other in links)):
        assert (document.parent / link).exists(), link
    for path in re.findall(r"(?<![\w/])((?:scripts|share|tests|docs|crates)/[\w./-]*\w)", text):
        assert (PROJECT / path).exists() or list(PROJECT.glob(f"{path}*")), path


def test_every_test_that_a_document_names_exists():
    places = ["crates/**/*.rs", "tests/**/*.py"]
    tests = "\n".join(path.read_text() for place in places for path in PROJECT.glob(place))
    rows = re.findall(r"^\|.*\| ([^|]*\b(?:py|rs)?`?: [a-z_, `]+|same: [a-z_, `]+) \|$",
                      (PROJECT / "docs/reliability.md").read_text(), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"[: ]([a-z]+(?:_[a-z]+)+)\b", row)]
    assert len(named) > 20
    for name in named:
        assert re.search(rf"(fn|def) \w*{name}", tests), name


def commands(text):
    """The dynrelay commands in a text."""
    quoted = re.findall(r"`(?:sudo )?dynrelay ([^`…]+)`|^ {2}dynrelay (.+)", text, re.MULTILINE)
    blocks = re.findall(r"^```\n(.*?)^```$|^\.Bd.*?\n(.*?)^\.Ed$", text, re.MULTILINE | re.DOTALL)
    typed = re.findall(r"^(?:sudo |.* \| )?dynrelay (.+)", "\n".join(map("".join, blocks)), re.MULTILINE)
    return [*("".join(pair) for pair in quoted), *typed]


def test_every_recommended_command_exists():
    known = helped()
    texts = [document.read_text() for document in DOCUMENTS]
    texts += [path.read_text() for path in (PROJECT / "share").rglob("*.*") if path.suffix != ".json"]
    # Rust strings may continue on the next line.
    texts.append(re.sub(r"\\\n\s*", "", source("crates", "cgi-bin")).replace(r"\n", "\n"))
    found = [command for text in texts for command in commands(text)]
    assert len(found) > 100
    for command in found:
        first = re.split(r" {2,}| [#|>&]|[;,.]? ->|\)", command.replace("--config", " --config"))[0]
        words = first.split()
        way = ()
        while words and words[0] in known[way][0]:
            way += (words.pop(0),)
        assert way or words[0].startswith("-"), command
        options = {word.split("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert options <= known[way][1], command
