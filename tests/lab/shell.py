"""The shells on a host. Each has the completion script where a package installs it."""

from .daemon import SOCKET
from .terminal import Terminal

PROMPT = "ready> "

_HOME = "/run/shell"

# A shell prints this after the words that it offers for one line.
_END = "(end)"

# Completes each line that it is given, as readline does.
_BASH = """
source bash-completion/completions/dynrelay
for line; do
    read -ra COMP_WORDS <<<"$line"
    [[ $line == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_TYPE=63 COMPREPLY=()
    read -ra known <<<"$(complete -p dynrelay)"
    "${known[-2]}" dynrelay "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
    printf '%s\\n' "${COMPREPLY[@]}" '(end)'
done
"""

# zsh completes only at a terminal. At ^T it writes its words to a file.
_ZSHRC = """
fpath=(~/zsh/vendor-completions $fpath)
autoload -Uz compinit && compinit -u
PROMPT=$READY
compadd() {
    if [[ -n $listens && ${@[1,(i)(-|--)]} != *-[OAD]\\ * ]]; then
        local -a words
        builtin compadd -A words "$@"
        offered+=($words)
    else
        builtin compadd "$@"
    fi
}
offer() {
    local listens=yes
    offered=()
    _main_complete
    print -rl -- $offered '(end)' >>~/offered
}
zle -C offer complete-word offer
bindkey '^T' offer
"""
_OFFER, _CLEAR = "\x14", "\x15"


class _Shell:
    """A shell on a `host` that has a `Daemon`."""

    def __init__(self, host):
        self.host = host
        script = host.run(["/run/bin/dynrelay", "completions", self.name]).stdout
        for place, text in {self.place: script, **self.files}.items():
            host.write(f"{_HOME}/{place}", text)

    def command(self, *words):
        """The command that runs the shell with a home of its own."""
        environment = {
            "HOME": _HOME,
            "XDG_DATA_DIRS": _HOME,
            "DYNRELAY_SOCKET": SOCKET,
            "PATH": "/run/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            "READY": PROMPT,
        }
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["env", "-i", "-C", _HOME, *variables, self.name, *words]

    def terminal(self):
        """The shell at a terminal."""
        terminal = Terminal(self.host.enter(self.command(*self.at_a_terminal)))
        terminal.wait_for_text(PROMPT)
        return terminal

    def offers(self, lines):
        """The words that the shell offers at the end of each line."""
        return _answers(self.host.run(self.command(*self.asked, *lines)).stdout)


class Bash(_Shell):
    """bash. Its completion is a function that fills an array."""

    name, place = "bash", "bash-completion/completions/dynrelay"
    files = {
        "ask": _BASH,
        ".bashrc": "source ~/bash-completion/completions/dynrelay; PS1=$READY\n",
    }
    asked, at_a_terminal = ["ask"], ["--rcfile", f"{_HOME}/.bashrc", "-i"]


class Fish(_Shell):
    """fish. Its `complete -C` prints the words."""

    name, place = "fish", "fish/vendor_completions.d/dynrelay.fish"
    files = {
        "ask": "for line in $argv; complete -C $line | string replace -r '\\t.*' ''; echo '(end)'; end\n",
        ".config/fish/config.fish": "function fish_prompt; echo -n $READY; end\n",
    }
    asked, at_a_terminal = ["ask"], ["-i"]


class Zsh(_Shell):
    """zsh. It completes only at a terminal."""

    name, place = "zsh", "zsh/vendor-completions/_dynrelay"
    files = {".zshrc": _ZSHRC}
    at_a_terminal = ["-i"]

    def offers(self, lines):
        terminal, file = self.terminal(), self.host.path(f"{_HOME}/offered")
        file.touch()
        for number, line in enumerate(lines, 1):
            terminal.type(line + _OFFER + _CLEAR)
            terminal.wait_until(
                lambda: len(_answers(file.read_text())) == number, f"zsh should offer words for {line!r}"
            )
        return _answers(file.read_text())


def _answers(printed):
    *answers, _ = f"\n{printed}".split(f"\n{_END}\n")
    return [set(answer.split("\n")) - {""} for answer in answers]
