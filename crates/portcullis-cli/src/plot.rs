//! Plots as inline SVG, each line named where it ends and each bar with its value; and the page
//! that they stand on, which needs nothing else.

/// A line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// An axis.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) name: &'static str,
    pub(crate) marks: Vec<(f64, String)>,
    pub(crate) log: bool,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 48.0;
/// Told apart by people who see few colours, and in print.
const COLOURS: [&str; 4] = ["#0b6e99", "#c2410c", "#4d7c0f", "#6d28d9"];

impl Axis {
    /// From zero, with marks at round numbers.
    pub(crate) fn linear(name: &'static str, most: f64) -> Self {
        let most = most.max(1e-9);
        let decade = 10.0_f64.powf((most / 4.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|of| of * decade);
        let step = step.into_iter().find(|step| step * 5.0 >= most).unwrap_or(decade * 10.0);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let marks = (0..=(most / step).ceil() as i32).map(|mark| f64::from(mark) * step);
        let marks = marks.map(|value| (value, format!("{value:.digits$}"))).collect();
        Self { name, marks, log: false }
    }

    /// Where a value is, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.log { value.max(1e-9).ln() } else { value };
        let least = self.marks.first().map_or(0.0, |mark| scale(mark.0));
        let most = self.marks.last().map_or(1.0, |mark| scale(mark.0));
        ((scale(value) - least) / (most - least)).clamp(0.0, 1.0)
    }
}

pub(crate) fn plot(what: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let across = |value| LEFT + x.place(value) * (WIDTH - LEFT - RIGHT);
    let up = |value| HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        escape(what)
    );
    for (value, name) in &x.marks {
        let (at, foot) = (across(*value), HEIGHT - BOTTOM);
        svg += &format!(
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{foot}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            foot + 16.0,
            escape(name)
        );
    }
    for (value, name) in &y.marks {
        let at = up(*value);
        svg += &format!(
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            escape(name)
        );
    }
    svg += &format!(
        "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text class=\"axis\" transform=\"translate(14 {}) rotate(-90)\" \
         text-anchor=\"middle\">{}</text>\n",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 8.0,
        escape(x.name),
        (TOP + HEIGHT - BOTTOM) / 2.0,
        escape(y.name)
    );
    let mut labels: Vec<f64> = Vec::new();
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<_> =
            line.points.iter().map(|&(a, b)| format!("{:.1},{:.1}", across(a), up(b))).collect();
        let end = line.points.last().copied().unwrap_or_default();
        let mut at = up(end.1);
        // Below a label that stands there already.
        while labels.iter().any(|other| (other - at).abs() < 14.0) {
            at += 14.0 * if at + 14.0 > HEIGHT - BOTTOM { -2.0 } else { 1.0 };
        }
        labels.push(at);
        svg += &format!(
            "<polyline points=\"{}\" stroke=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" style=\"fill:{colour}\">{}</text>\n",
            points.join(" "),
            across(end.0) + 6.0,
            at + 4.0,
            escape(&line.name)
        );
    }
    svg + "</svg>\n"
}

/// A bar: its name, its length, and what it says at its end.
#[cfg(feature = "bench")]
#[derive(Debug)]
pub(crate) struct Bar {
    /// What it and those below it are about; empty if it goes on.
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) text: String,
    /// Bars of one kind have one colour.
    pub(crate) kind: usize,
}

/// Bars from the left, one below the other.
#[cfg(feature = "bench")]
pub(crate) fn bars(what: &str, bars: &[Bar]) -> String {
    const ROW: f64 = 22.0;
    const GAP: f64 = 10.0;
    const NAMES: f64 = 170.0;
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let (mut top, mut rows) = (0.0, String::new());
    for bar in bars {
        top += if bar.group.is_empty() { 0.0 } else { GAP };
        let length = bar.value / most * (WIDTH - NAMES - 130.0);
        let colour = COLOURS.get(bar.kind % COLOURS.len()).unwrap_or(&"#333");
        let foot = top + 13.0;
        rows += &format!(
            "<text x=\"0\" y=\"{foot:.1}\" font-weight=\"bold\">{}</text>\
             <text x=\"{}\" y=\"{foot:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{NAMES}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"17\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{foot:.1}\">{}</text>\n",
            escape(&bar.group),
            NAMES - 8.0,
            escape(&bar.name),
            NAMES + length + 6.0,
            escape(&bar.text)
        );
        top += ROW;
    }
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {top}\" role=\"img\" aria-label=\"{}\">\n{rows}</svg>\n",
        escape(what)
    )
}

/// A whole page.
pub(crate) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n<main>\n{body}</main>\n</html>\n",
        escape(title)
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0}\
main{max-width:760px;margin:2rem auto;padding:0 1rem}h2{margin-top:2.5rem;font-size:1.15rem}\
.lead{background:#f1f5f9;padding:.75rem 1rem;border-radius:6px}svg{width:100%;height:auto}\
svg text{font:12px system-ui,sans-serif;fill:#333}svg .axis{fill:#666}\
svg polyline{fill:none;stroke-width:2.5}svg .grid{stroke:#e2e8f0}\
table{border-collapse:collapse;font-size:14px;width:100%}\
td,th{border-bottom:1px solid #e2e8f0;padding:.3rem .5rem;text-align:left}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_holds_the_most_and_is_marked_at_round_numbers() {
        for (most, marks) in [
            (10.0, &["0", "2", "4", "6", "8", "10"][..]),
            (0.9, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
            (21.3, &["0", "5", "10", "15", "20", "25"]),
            (4096.0, &["0", "1000", "2000", "3000", "4000", "5000"]),
        ] {
            let axis = Axis::linear("", most);
            let names: Vec<_> = axis.marks.iter().map(|mark| mark.1.as_str()).collect();
            assert_eq!(names, marks, "{most}");
        }
    }
}
