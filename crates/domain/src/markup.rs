//! Text of others inside a page: letters alone, whatever they mean elsewhere.

/// A text as part of a page, in an attribute too, in one line.
pub fn html_line(text: &str) -> String {
    html(text, " ")
}

/// A text as part of a page, with its line breaks.
pub fn html_text(text: &str) -> String {
    html(text, "<br>")
}

/// Whether a character could disturb what stands around it: controls, and marks that turn the
/// direction of text.
pub fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn html(text: &str, line_break: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str(line_break),
            '\t' => escaped.push(' '),
            c if is_disturbing(c) => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_becomes_markup() {
        let text = "\"><b a='x'>\n&amp;\t\u{0}\u{202e}é 🦊";
        let line = "&quot;&gt;&lt;b a=&#39;x&#39;&gt; &amp;amp; é 🦊";
        assert_eq!(html_line(text), line);
        assert_eq!(html_text("a\n<b>"), "a<br>&lt;b&gt;");
    }
}
