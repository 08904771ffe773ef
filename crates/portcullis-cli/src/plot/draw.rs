//! Draws a plot in one width.

use super::{Axis, Line};
use crate::document::escape;

/// Number of line styles (color and dashes) in the style sheet.
pub(super) const KINDS: usize = 4;

/// The size of a drawing in pixels, before the page scales the drawing to the available width.
#[derive(Debug)]
pub(super) struct Size {
    name: &'static str,
    width: f64,
    height: f64,
    /// Font size.
    text: f64,
}

pub(super) const NARROW: Size = Size { name: "narrow", width: 320.0, height: 250.0, text: 13.0 };
pub(super) const WIDE: Size = Size { name: "wide", width: 720.0, height: 330.0, text: 13.0 };

const RIGHT: f64 = 12.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 52.0;

impl Size {
    /// Returns an upper bound for the width of a text.
    fn width_of(&self, text: &str) -> f64 {
        text.chars().count() as f64 * self.text * 0.64
    }
}

pub(super) fn draw(size: &Size, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let Size { name, width, height, .. } = *size;
    let widest = y.marks.iter().map(|mark| size.width_of(&mark.1)).fold(0.0, f64::max);
    let left = (widest + 10.0).max(24.0);
    let (right, foot) = (width - RIGHT, height - BOTTOM);
    let across = |value| left + x.place(value) * (right - left);
    let up = |value| foot - y.place(value) * (foot - TOP);
    let mut svg = format!(
        "<svg class=\"{name}\" viewBox=\"0 0 {width} {height}\" data-left=\"{left:.1}\" \
         data-right=\"{right}\" aria-hidden=\"true\">\n"
    );
    let mut free = f64::NEG_INFINITY;
    for (value, text) in &x.marks {
        let at = across(*value);
        svg += &format!(
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{foot}\"/>\n"
        );
        let half = size.width_of(text) / 2.0;
        let middle = at.clamp(half, (width - half).max(half));
        // Omits a label that would touch the previous label, but keeps its grid line.
        if middle - half >= free {
            free = middle + half + 8.0;
            svg += &format!(
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                foot + 22.0,
                escape(text)
            );
        }
    }
    let mut free = f64::INFINITY;
    for (value, text) in &y.marks {
        let at = up(*value);
        svg += &format!(
            "<line class=\"grid\" x1=\"{left:.1}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\n"
        );
        if at <= free {
            free = at - size.text - 4.0;
            svg += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                left - 6.0,
                at + 4.5,
                escape(text)
            );
        }
    }
    svg += &format!(
        "<text class=\"axis\" x=\"0\" y=\"14\">{}</text>\
         <text class=\"axis\" x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
        escape(y.name),
        height - 6.0,
        escape(x.name)
    );
    for (at, line) in lines.iter().enumerate() {
        let points: Vec<_> =
            line.points.iter().map(|&(a, b)| format!("{:.1},{:.1}", across(a), up(b))).collect();
        svg +=
            &format!("<polyline class=\"line-{}\" points=\"{}\"/>\n", at % KINDS, points.join(" "));
    }
    svg += &format!(
        "<line class=\"cursor\" x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{TOP}\" y2=\"{foot}\"/>\n"
    );
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns where the labels below a plot begin and end.
    fn names(svg: &str, size: &Size) -> Vec<(f64, f64)> {
        let below = svg
            .lines()
            .filter(|line| line.contains("text-anchor=\"middle\"") && line.starts_with("<text"));
        below
            .map(|line| {
                let middle: f64 = line.split('"').nth(1).unwrap().parse().unwrap();
                let text = line.split(['>', '<']).nth(2).unwrap();
                let half = size.width_of(text) / 2.0;
                (middle - half, middle + half)
            })
            .collect()
    }

    #[test]
    fn labels_do_not_touch_and_stay_within_the_drawing() {
        for size in [&NARROW, &WIDE] {
            for most in [50.0, 920.0, 5400.0, 86_400.0, 604_800.0] {
                let x = Axis::durations("time", most);
                let svg = draw(size, &x, &Axis::linear("share", 1.0), &[]);
                let names = names(&svg, size);
                assert!(names.len() > 2, "{most}: {svg}");
                for pair in names.windows(2) {
                    assert!(pair[0].1 + 4.0 <= pair[1].0, "{most}: {names:?}");
                }
                // Positions are written with one decimal.
                assert!(names[0].0 >= -0.1, "{most}: {names:?}");
                assert!(names[names.len() - 1].1 <= size.width + 0.1, "{most}: {names:?}");
            }
        }
    }
}
