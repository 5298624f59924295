//! Escaping for XML and HTML.

use std::borrow::Cow;

/// `text` with the five special characters of XML and HTML as references. `'` becomes `&#39;`,
/// because HTML 4 has no `&apos;`.
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
    fn special_characters_are_escaped() {
        assert_eq!(escape("plain – text"), "plain – text");
        assert_eq!(escape(r#"<a b="c">'&amp;"#), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;amp;");
    }
}
