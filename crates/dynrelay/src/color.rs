//! Colours, where they are wanted.

use model::State;

/// How a text stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    /// Not at all.
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// All is well.
    Green,
    /// On its way, or to be looked at.
    Yellow,
    /// Wrong.
    Red,
    /// Past.
    Dim,
}

impl Color {
    /// The color of a relay's state.
    pub(crate) fn of_state(state: State) -> Self {
        match state {
            State::Live => Self::Green,
            State::Starting | State::Suspect => Self::Yellow,
            State::Closed => Self::Dim,
        }
    }

    /// The text in this color, if `colors` says that there are any.
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
