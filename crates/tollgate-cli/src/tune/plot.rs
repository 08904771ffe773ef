//! Line plots as inline SVG, each line named where it ends.

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// An axis.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    pub(super) marks: Vec<(f64, String)>,
    pub(super) log: bool,
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
    /// Where a value is, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.log { value.max(1e-9).ln() } else { value };
        let least = self.marks.first().map_or(0.0, |mark| scale(mark.0));
        let most = self.marks.last().map_or(1.0, |mark| scale(mark.0));
        ((scale(value) - least) / (most - least)).clamp(0.0, 1.0)
    }
}

pub(super) fn plot(what: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
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

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
