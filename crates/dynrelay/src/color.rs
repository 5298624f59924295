//! Colours on terminals.

use model::State;

/// The colour of a text, by its meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    /// No colour.
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// Good.
    Green,
    /// Under way, or worth a look.
    Yellow,
    /// Wrong.
    Red,
    /// Over.
    Dim,
}

impl Color {
    /// The colour of a relay's state.
    pub(crate) fn of_state(state: State) -> Self {
        match state {
            State::Live => Self::Green,
            State::Starting | State::Suspect => Self::Yellow,
            State::Closed => Self::Dim,
        }
    }

    /// The text in this colour, if `colors` is true.
    pub(crate) fn on(self, text: &str, colors: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Bold => 1,
            Self::Dim => 2,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
        };
        if colors { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
