//! Finds the targets of links in Markdown, outside code.

use std::ops::Range;

/// Returns the byte ranges of all link and image targets, in order.
pub(super) fn targets(text: &str) -> Vec<Range<usize>> {
    let mut targets = Vec::new();
    let (mut start, mut fence) = (0, None);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let ticks = trimmed.len() - trimmed.trim_start_matches('`').len();
        if let Some(open) = fence {
            fence = (ticks < open || !trimmed.trim_end().ends_with('`')).then_some(open);
        } else if ticks >= 3 {
            fence = Some(ticks);
        }
        if fence.is_none() && ticks < 3 {
            in_line(line, start, &mut targets);
        }
        start += line.len();
    }
    targets
}

/// A link may begin in the line before, as in `[the\nguide](url)`, so only `](` is searched for.
fn in_line(line: &str, start: usize, targets: &mut Vec<Range<usize>>) {
    let mut at = 0;
    if line.starts_with('[')
        && let Some(colon) = line.find("]: ")
    {
        let from = colon + 3;
        let target = line.get(from..).unwrap_or_default().trim_end();
        targets.push(start + from..start + from + target.len());
        return;
    }
    while let Some(rest) = line.get(at..)
        && let Some(found) = rest.find(['`', ']'])
    {
        let here = at + found;
        let rest = line.get(here..).unwrap_or_default();
        if rest.starts_with('`') {
            let ticks = rest.len() - rest.trim_start_matches('`').len();
            let (mark, body) = rest.split_at(ticks);
            // Code that ends in a later line contains no link in our pages.
            at = here + ticks + body.find(mark).map_or(0, |end| end + ticks);
        } else if let Some(target) = rest.strip_prefix("](") {
            let end = target.find([')', ' ']).unwrap_or(target.len());
            targets.push(here + start + 2..here + start + 2 + end);
            at = here + 2 + end;
        } else {
            at = here + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text = "# A [b](c.md#d) [`e`](crate::E) `[no](x)` ![picture](f.svg \"title\")\n\
                    ```rust\nlet a = b[0](no);\n```\nmore `` ` [no](x) `` [two\nlines](g.md)\n\n\
                    ````md\n```\n[no](x)\n```\n````\n[a]: h.md\n";
        let found: Vec<_> = targets(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["c.md#d", "crate::E", "f.svg", "g.md", "h.md"]);
    }
}
