//! Bar charts in HTML. Names and values are above the bars, as text that wraps.

use crate::document::escape;

/// A bar: its name, its length and its text.
#[derive(Debug)]
pub(crate) struct Bar {
    /// Heading above this bar; empty to continue the previous group.
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) text: String,
    /// Bars of one kind have the same color.
    pub(crate) kind: usize,
}

pub(crate) fn bars(what: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut html = format!("<div class=\"bars\" role=\"group\" aria-label=\"{}\">\n", escape(what));
    for bar in bars {
        if !bar.group.is_empty() {
            html += &format!("<h3>{}</h3>\n", escape(&bar.group));
        }
        html += &format!(
            "<p><span>{}</span><span>{}</span><span class=\"bar kind-{}\" style=\"width:{:.2}%\"></span></p>\n",
            escape(&bar.name),
            escape(&bar.text),
            bar.kind % 4,
            bar.value / most * 100.0
        );
    }
    html + "</div>\n"
}
