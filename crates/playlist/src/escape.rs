//! Text between tags and in quoted attributes.

use std::borrow::Cow;

/// `text` with the five characters that mean something to XML or HTML written as references.
/// `'` becomes `&#39;`, since HTML 4 has no `&apos;`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_escaped() {
        assert_eq!(escape("plain – text"), "plain – text");
        assert_eq!(escape(r#"<a b="c">'&amp;"#), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;amp;");
    }
}
