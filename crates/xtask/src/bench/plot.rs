//! Bar charts of times.

use std::fmt::Write as _;

use super::figures::Figures;
use super::page::shown;

const ROW: usize = 26;
const LABEL: f64 = 344.0;
const LENGTH: f64 = 380.0;

/// Returns the charts as SVG, each with its name.
pub(crate) fn plots(figures: &Figures) -> Vec<(String, String)> {
    let wanted = ["validator RS256", "validator ES256", "peers axum RS256", "peers service RS256"];
    let drawn =
        |group: &&str| Some((group.replace(' ', "-").to_lowercase(), plot(figures, group)?));
    wanted.iter().filter_map(drawn).collect()
}

fn plot(figures: &Figures, group: &str) -> Option<String> {
    let bars: Vec<(&str, f64)> = figures
        .of(group)
        .filter_map(|case| Some((case.name.as_str(), case.spread()?.median)))
        .collect();
    let longest = bars.iter().map(|(_, time)| *time).max_by(f64::total_cmp)?;
    let height = ROW * bars.len() + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 {height}\" width=\"800\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"800\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-weight=\"bold\">{group}: time for one request, median</text>\n"
    );
    for (row, (name, time)) in bars.iter().enumerate() {
        let (top, length) = (34 + ROW * row, (time / longest * LENGTH).max(1.0));
        let ours = ["cold", "warm", "portcullis", "new"].iter().any(|own| name.starts_with(own));
        let colour = if ours { "#2a7f62" } else { "#9aa5b1" };
        let (text, end) = (top + 15, LABEL + length + 6.0);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABEL}\" y=\"{top}\" width=\"{length:.1}\" height=\"20\" fill=\"{colour}\"/>\
             <text x=\"{end:.1}\" y=\"{text}\">{}</text>",
            LABEL - 8.0,
            shown(*time)
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}
