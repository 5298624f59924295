//! Suggests the right name for a mistyped one.

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
