//! Plots as inline SVG, each with a table of its values.

#[cfg(feature = "bench")]
pub(crate) mod bars;
mod draw;

use crate::document::escape;
use crate::units::duration;
#[cfg(any(feature = "bench", test))]
use crate::units::number;
use draw::{NARROW, WIDE, draw};

/// A line of a plot.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// An axis of a plot.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) name: &'static str,
    pub(crate) marks: Vec<(f64, String)>,
    pub(crate) log: bool,
    /// Formats a value.
    pub(crate) show: fn(f64) -> String,
}

impl Axis {
    /// Creates an axis from zero, with marks at round numbers.
    #[cfg(any(feature = "bench", test))]
    pub(crate) fn linear(name: &'static str, most: f64) -> Self {
        let most = most.max(1e-9);
        let decade = 10.0_f64.powf((most / 4.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|of| of * decade);
        let step = step.into_iter().find(|step| step * 5.0 >= most).unwrap_or(decade * 10.0);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let marks = (0..=(most / step).ceil() as i32).map(|mark| f64::from(mark) * step);
        let marks = marks.map(|value| (value, format!("{value:.digits$}"))).collect();
        Self { name, marks, log: false, show: number }
    }

    /// Creates an axis of durations from zero, with marks at round durations.
    pub(crate) fn durations(name: &'static str, most: f64) -> Self {
        const STEPS: [f64; 18] = [
            1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
            7200.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0,
        ];
        let step = STEPS.into_iter().find(|step| step * 6.0 >= most).unwrap_or(most / 6.0);
        let marks = (0..=(most / step).ceil() as i32).map(|mark| f64::from(mark) * step);
        let marks = marks.map(|value| (value, duration(value))).collect();
        Self { name, marks, log: false, show: duration }
    }

    /// Returns the position of a value, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.log { value.max(1e-9).ln() } else { value };
        let least = self.marks.first().map_or(0.0, |mark| scale(mark.0));
        let most = self.marks.last().map_or(1.0, |mark| scale(mark.0));
        ((scale(value) - least) / (most - least)).clamp(0.0, 1.0)
    }
}

/// Renders a plot: the legend, drawings in two widths, and a table of values. The page shows only the
/// drawing that fits, so text is never scaled down. All lines must have the same x values.
pub(crate) fn plot(what: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let (narrow, wide) = (draw(&NARROW, x, y, lines), draw(&WIDE, x, y, lines));
    let what = escape(what);
    format!(
        "<figure class=\"plot\">\n{}<div class=\"drawing\" role=\"img\" aria-label=\"{what}\">\n\
         {narrow}{wide}</div>\n<output class=\"values\" aria-live=\"off\">Values: point at the plot, or use arrow \
         keys.</output>\n<details><summary>Values</summary>\n{}</details>\n</figure>\n",
        legend(lines),
        values(x, y, lines)
    )
}

/// Renders the legend above the plot, where names cannot overlap.
fn legend(lines: &[Line]) -> String {
    let mut html = String::from("<ul class=\"legend\">");
    for (at, line) in lines.iter().enumerate() {
        html += &format!(
            "<li><svg viewBox=\"0 0 28 10\" aria-hidden=\"true\"><line class=\"line-{}\" x1=\"0\" y1=\"5\" \
             x2=\"28\" y2=\"5\"/></svg>{}</li>",
            at % draw::KINDS,
            escape(&line.name)
        );
    }
    html + "</ul>\n"
}

/// Renders a table of up to about twenty values of each line.
fn values(x: &Axis, y: &Axis, lines: &[Line]) -> String {
    const ROWS: usize = 20;
    let points = lines.first().map_or(0, |line| line.points.len());
    let step = points.saturating_sub(1).div_ceil(ROWS).max(1);
    let mut html = format!(
        "<table role=\"table\">\n<thead><tr role=\"row\"><th role=\"columnheader\" scope=\"col\">{}</th>",
        escape(x.name)
    );
    for line in lines {
        html += &format!("<th role=\"columnheader\" scope=\"col\">{}</th>", escape(&line.name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for at in (0..points).step_by(step) {
        let across =
            lines.first().and_then(|line| line.points.get(at)).map_or(0.0, |point| point.0);
        let named = x.marks.iter().find(|mark| x.log && mark.0 == across);
        html += &format!(
            "<tr role=\"row\" data-place=\"{:.4}\"><th role=\"rowheader\" scope=\"row\">{}</th>",
            x.place(across),
            escape(&named.map_or_else(|| (x.show)(across), |mark| mark.1.clone()))
        );
        for line in lines {
            let value = line.points.get(at).map_or_else(String::new, |point| (y.show)(point.1));
            html += &format!(
                "<td role=\"cell\" data-name=\"{}\">{}</td>",
                escape(&line.name),
                escape(&value)
            );
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axis_covers_the_maximum_with_marks_at_round_numbers() {
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

    #[test]
    fn duration_axis_has_marks_at_round_durations() {
        for (most, marks) in [
            (80.0, &["0 s", "15 s", "30 s", "45 s", "60 s", "75 s", "90 s"][..]),
            (920.0, &["0 s", "5 min", "10 min", "15 min", "20 min"]),
        ] {
            let axis = Axis::durations("", most);
            let names: Vec<_> = axis.marks.iter().map(|mark| mark.1.as_str()).collect();
            assert_eq!(names, marks, "{most}");
        }
    }

    #[test]
    fn plot_has_a_table_of_its_values() {
        let points = (0..=200).map(|step| (f64::from(step), f64::from(step) * 2.0)).collect();
        let lines = [Line { name: "a & b".to_owned(), points }];
        let html =
            plot("<what>", &Axis::durations("after", 200.0), &Axis::linear("y", 400.0), &lines);
        assert_eq!(html.matches("<tr role=\"row\" data-place").count(), 21, "{html}");
        assert!(html.contains("data-place=\"0.8333\""), "{html}");
        assert!(
            html.contains("data-name=\"a &amp; b\">400</td>") && !html.contains("<what>"),
            "{html}"
        );
    }
}
