//! Suggests the right name for a mistyped one.

use control::{ErrorCode, Refused, Request, StreamList};

use crate::context::Ask;

/// Adds a suggestion to the daemon's refusal of an unknown name, if there is a similar one.
pub(crate) fn with_hint(daemon: &mut dyn Ask, request: &Request, refused: Refused) -> Refused {
    let (stream, edge) = match request {
        Request::Start { stream, edge, .. } | Request::Show { stream, edge } => {
            (stream, edge.as_deref())
        }
        Request::Stop { stream, edge } => (stream, Some(edge.as_str())),
        _ => return refused,
    };
    let hint = match (refused.code, edge) {
        (ErrorCode::UnknownStream, _) => {
            let names = |list: &StreamList| {
                hint(stream, list.streams.iter().map(|stream| stream.name.as_str()))
            };
            streams(daemon).as_ref().map(names)
        }
        (ErrorCode::NoEdge, Some(edge)) => {
            let names = |list: &StreamList| {
                let edges = list.streams.iter().flat_map(|stream| &stream.edges);
                hint(edge, edges.map(String::as_str))
            };
            streams(daemon).as_ref().map(names)
        }
        _ => None,
    };
    Refused { message: format!("{}{}", refused.message, hint.unwrap_or_default()), ..refused }
}

/// The streams that the daemon has. Without them there is no suggestion.
fn streams(daemon: &mut dyn Ask) -> Option<StreamList> {
    let answer = daemon.ask(&Request::Streams { listen: false }).ok()?;
    serde_json::from_str(answer.get()).ok()
}

/// `; did you mean news?`. Empty if no name is similar, or if the name itself is known.
pub(crate) fn hint<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(typed, names) {
        Some(name) => format!("; did you mean {name}?"),
        None => String::new(),
    }
}

/// The most similar name, with one mistake, or one in three letters. Another number makes another
/// name: dss3 is no mistyped dss2.
fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bearable = (typed.chars().count() / 3).max(1);
    let letters = |name: &str| name.replace(|letter: char| letter.is_ascii_digit(), "");
    let (mistakes, name) = names
        .filter(|name| letters(name) != letters(typed))
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .min_by_key(|(mistakes, _)| *mistakes)?;
    (1..=bearable).contains(&mistakes).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::relay_arg::RelayArg;
    use crate::show;

    #[test]
    fn it_asks_the_daemon_for_similar_names() {
        let streams =
            r#"{"streams":[{"name":"news","media":[],"edges":["dss2"],"relayed_to":[]}]}"#;
        let refused = |code, message: &str| Refused::new(code, message);
        let (unknown, no_edge) = (ErrorCode::UnknownStream, ErrorCode::NoEdge);
        let said = |words: &[&str], refused| {
            let mut fake = Fake::refusing(refused).then(streams);
            let failed = fake.run(|context| show::run(context, &RelayArg::typed(words)));
            failed.unwrap_err().to_string()
        };
        let none = "there is no stream nws";
        assert_eq!(said(&["nws"], refused(unknown, none)), format!("{none}; did you mean news?"));
        let none = "there is no edge ds2";
        let hinted = format!("{none}; did you mean dss2?");
        assert_eq!(said(&["news", "ds2"], refused(no_edge, none)), hinted);
        // The name is right, and something else is wrong.
        assert_eq!(said(&["news"], refused(unknown, "no relay")), "no relay");
        // The refusal is printed in every case.
        let mut alone = Fake::refusing(refused(unknown, none)).then("{}");
        let failed = alone.run(|context| show::run(context, &RelayArg::typed(&["nws"])));
        assert_eq!(failed.unwrap_err().to_string(), none);
    }

    #[test]
    fn a_typing_mistake_is_recognised() {
        let names = ["evening-news", "news", "sport", "dss2"];
        let nearest = |typed| nearest(typed, names.into_iter());
        for (typed, meant) in [
            ("nws", "news"),
            ("enws", "news"),
            ("News", "news"),
            ("evening_mews", "evening-news"),
            ("ds2", "dss2"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        for other in ["radio", "news", "", "x", "dss3"] {
            assert_eq!(nearest(other), None, "{other}");
        }
        assert_eq!(hint("sprot", names.into_iter()), "; did you mean sport?");
        assert_eq!(hint("radio", names.into_iter()), "");
    }
}
