"""The manual pages, and the command's help."""

import json
import re
import subprocess

from .binaries import DYNRELAY, PROJECT

PAGES = sorted((PROJECT / "share/man").glob("*.[1-8]"))

_TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod \w+ \{.*", re.MULTILINE | re.DOTALL)


class Manual:
    """A manual page, by its file name."""

    def __init__(self, name):
        self.text = (PROJECT / "share/man" / name).read_text()

    def section(self, name):
        """The lines of a section, with its subsections."""
        return self.text.partition(f"\n.Sh {name}\n")[2].partition("\n.Sh ")[0]

    def items(self, section, macro):
        """The first word of each list item with that macro in a section."""
        lines = re.findall(rf"^\.It {macro} (.*)", self.section(section), re.MULTILINE)
        return {words(line)[0] for line in lines}

    def marked(self, section, macro):
        """The words that a macro marks in a section, or without one on the whole page."""
        text = self.section(section) if section else self.text
        lines = re.findall(rf"^\.(?:It |Pq |No )*{macro} (.*)", text, re.MULTILINE)
        return {word for line in lines for word in words(line)}


    def options(self):
        """Every long option on the page."""
        lines = re.findall(r"^\.(?:It )?Fl .*|\bFl -[a-z-]+", self.text, re.MULTILINE)
        return set(re.findall(r" -([a-z-]{2,})", "\n".join(lines)))

    def commands(self):
        """The options and arguments that the page describes, by command."""
        found, current = {}, None
        for line in self.text.splitlines():
            if line.startswith(".It Ic "):
                name = re.match(r"\.It Ic ((?:[a-z]+ ?)+)", line)[1].strip()
                current = found.setdefault(name, (set(), set()))
            elif line.startswith((".Ss", ".Sh")):
                current = None
            if current:
                current[0].update(re.findall(r"\bFl -([a-z-]+)", line))
                arguments = re.findall(r"\bAr ((?:[a-z][^ ]* ?)+)", line)
                current[1].update(word.rstrip(".,|") for one in arguments for word in one.split())
        return found


def vocabulary():
    """Every word that the command takes or prints, as it says itself."""
    return json.loads(subprocess.run([DYNRELAY, "vocabulary"], capture_output=True, check=True).stdout)


def words(line):
    """The words of an mdoc line, without macros, escapes and punctuation."""
    plain = re.sub(r"\\\(dq|\\&|\\:|\b(?:Ar|No) \S+", "", line)
    return [word for word in plain.split() if word not in _MACROS and re.search(r"\w", word)]


_MACROS = {"Li", "Ns", "No", "Ar", "Ic", "Pa", "Fl", "Op", "Ev", "Ta", "Pq", "Oo", "Oc"}


def helped(*way):
    """The subcommands and options of each command, by its words, as the help prints them."""
    command = [DYNRELAY, *way, "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    below = text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    commands = re.findall(r"^  (\w+)  ", below, re.MULTILINE)
    found = {way: (set(commands), set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)))}
    for command in commands:
        if command != "help":
            found |= helped(*way, command)
    return found


def source(*folders):
    """The Rust sources below these folders, without tests and comments."""
    files = [file for folder in folders for file in sorted((PROJECT / folder).rglob("*.rs"))]
    kept = [file for file in files if file.stem not in ("tests", "manual", "fake")]
    text = "\n".join(_TESTS.sub("", file.read_text()) for file in kept)
    return re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)


def variants(text, enum):
    """The names of an enum's variants, as they are written in JSON and to people."""
    body = re.search(rf"enum {enum} \{{\n(.*?)\n\}}", text, re.DOTALL)[1]
    names = re.findall(r"^    ([A-Z]\w*)", body, re.MULTILINE)
    return {re.sub(r"(?<=[a-z])([A-Z])", r"-\1", name).lower() for name in names}
