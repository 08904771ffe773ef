//! Self-contained HTML pages: no other files, no network, and readable without scripts.

/// Content security policy: inline styles and scripts only.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("document/style.css");

/// Script that shows the values of a plot at the pointer, or at the position chosen with the arrow
/// keys.
const VALUES: &str = include_str!("document/values.js");

/// Renders a page. `scripts` run after the page's own script.
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

/// Renders a table whose first column names the rows. On a narrow screen each row becomes a block with the
/// column's name beside each value, unless the row has only one value.
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
                0 => format!("<th role=\"rowheader\" scope=\"row\">{}</th>", prose(cell)),
                _ => format!(
                    "<td role=\"cell\" data-name=\"{}\">{}</td>",
                    if is_named { escape(column) } else { String::new() },
                    value(cell)
                ),
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n"
}

/// Escapes text for HTML content and attributes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Escapes text for HTML, with text in backticks as code. No line breaks at a hyphen inside the
/// name of an option.
pub(crate) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, part)| match at % 2 {
            0 => with_options(part),
            _ => format!("<code>{}</code>", with_options(part)),
        })
        .collect()
}

/// Renders a cell as plain text or as one element, as the layout for narrow screens requires.
fn value(cell: &str) -> String {
    let html = prose(cell);
    if html.contains('<') { format!("<span>{html}</span>") } else { html }
}

fn with_options(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, from) = rest.split_at(at);
        let length = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (name, after) = from.split_at(length);
        html += &escape(before);
        html += &format!("<span class=\"option\">{name}</span>");
        rest = after;
    }
    html + &escape(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_options_are_kept_together() {
        let html = prose("set `a --max-lag 5m`, or --survive; 1 -- 2 <b>");
        assert_eq!(
            html,
            "set <code>a <span class=\"option\">--max-lag</span> 5m</code>, or \
             <span class=\"option\">--survive</span>; 1 <span class=\"option\">--</span> 2 &lt;b&gt;"
        );
        let cells = table(&["a", "b"], &[vec!["1".to_owned(), "--x or 2".to_owned()]]);
        assert!(cells.contains("<span><span class=\"option\">--x</span> or 2</span>"), "{cells}");
    }

    #[test]
    fn page_loads_nothing_external_and_text_is_escaped() {
        let hostile = "<img src=x onerror=\"alert(1)\">&";
        let body = table(&["", hostile], &[vec![hostile.to_owned(), hostile.to_owned()]]);
        let html = page(hostile, &body, &["let x = 1;\n"]);
        assert!(!html.contains("<img"), "{html}");
        assert!(html.contains("default-src 'none'"));
        for external in ["src=x onerror=\"", "http://", "https://", "url(", "@import", "<link"] {
            assert!(!html.contains(external), "{external}");
        }
        // `</script` inside a script would end the script element.
        assert_eq!(html.matches("</script").count(), 1);
    }
}
