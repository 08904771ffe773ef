//! HTML pages that need nothing else: no file beside them, no network, and no script to be read.

/// What a page may load and run: what stands in it, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("document/style.css");

/// Shows the values of a plot at the pointer, or where the arrow keys moved to.
const VALUES: &str = include_str!("document/values.js");

/// A whole page. `scripts` run after its own.
pub(crate) fn page(title: &str, body: &str, scripts: &[&str]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n<main>\n{body}</main>\n",
        escape(title)
    );
    html += "<script>\n'use strict';\n";
    for script in [VALUES].iter().chain(scripts) {
        html += script;
    }
    html + "</script>\n</html>\n"
}

/// A table of text. Its first column names the rows. On a narrow screen each row becomes a block, in
/// which every value stands beside the name of its column, unless there is only one of them.
pub(crate) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = String::from("<table role=\"table\">\n<thead><tr role=\"row\">");
    for column in columns {
        html += &format!("<th role=\"columnheader\" scope=\"col\">{}</th>", escape(column));
    }
    html += "</tr></thead>\n<tbody>\n";
    let is_named = columns.len() > 2;
    for row in rows {
        html += "<tr role=\"row\">";
        for (at, (cell, column)) in row.iter().zip(columns).enumerate() {
            html += &match at {
                0 => format!("<th role=\"rowheader\" scope=\"row\">{}</th>", escape(cell)),
                _ => format!(
                    "<td role=\"cell\" data-name=\"{}\">{}</td>",
                    if is_named { escape(column) } else { String::new() },
                    escape(cell)
                ),
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n"
}

/// Text as HTML, in an attribute as well.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The same, with code for what stands in backticks.
pub(crate) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, part)| match at % 2 {
            0 => escape(part),
            _ => format!("<code>{}</code>", escape(part)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_loads_nothing_and_text_stays_text() {
        let hostile = "<img src=x onerror=\"alert(1)\">&";
        let body = table(&["", hostile], &[vec![hostile.to_owned(), hostile.to_owned()]]);
        let html = page(hostile, &body, &["let x = 1;\n"]);
        assert!(!html.contains("<img"), "{html}");
        assert!(html.contains("default-src 'none'"));
        for external in ["src=x onerror=\"", "http://", "https://", "url(", "@import", "<link"] {
            assert!(!html.contains(external), "{external}");
        }
        // A script that named the end of scripts would end there.
        assert_eq!(html.matches("</script").count(), 1);
    }
}
