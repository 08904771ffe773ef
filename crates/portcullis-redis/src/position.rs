//! A position in the stream or in the hash: which entries a reader has seen.

use portcullis::feed::Cursor;

use crate::info::Info;
use crate::scripts::Found;

/// Which entries a reader has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The id of this run of the server. After a restart, the data may be older, and cursors of
    /// scans are invalid.
    pub(crate) run_id: String,
    /// The random name of the hash. If the hash was flushed, the next one has another name.
    pub(crate) name: String,
    /// The number of notifications before the read.
    pub(crate) wakes: u64,
    /// How many elements had been added to the stream up to `log`.
    pub(crate) added: u64,
    /// The last element of the stream that was seen.
    pub(crate) log: String,
    /// The cursor of an incomplete scan of the hash.
    pub(crate) scan: Option<String>,
}

impl Position {
    pub(crate) fn parse(cursor: &Cursor) -> Option<Self> {
        let fields: Vec<_> = cursor.as_str().split('|').collect();
        let [run_id, name, wakes, added, log, scan] = fields.try_into().ok()?;
        element(log)?;
        Some(Self {
            run_id: run_id.to_owned(),
            name: name.to_owned(),
            wakes: wakes.parse().ok()?,
            added: added.parse().ok()?,
            log: log.to_owned(),
            scan: if scan.is_empty() { None } else { Some(scan.parse::<u64>().ok()?.to_string()) },
        })
    }

    pub(crate) fn to_cursor(&self) -> Cursor {
        let Self { run_id, name, wakes, added, log, scan } = self;
        let scan = scan.as_deref().unwrap_or_default();
        Cursor::new(format!("{run_id}|{name}|{wakes}|{added}|{log}|{scan}"))
    }

    /// Returns the position after the first part of a scan, and whether to read again immediately.
    pub(crate) fn of_scan(info: Info, found: &Found, wakes: u64) -> (Self, bool) {
        let scan = Some(found.end.clone()).filter(|end| end != "0");
        let has_more = scan.is_some();
        let (run_id, name) = (info.run_id, found.name.clone());
        let (added, log) = (found.added, found.last.clone());
        (Self { run_id, name, wakes, added, log, scan }, has_more)
    }

    /// Returns the position after a read from this one, and whether to read again immediately. `None`
    /// if the server cannot determine which entries came after this one.
    pub(crate) fn next(&self, info: &Info, found: &Found, limit: u64) -> Option<(Self, bool)> {
        let is_same = self.run_id == info.run_id && self.name == found.name;
        if !is_same || element(&found.last)? < element(&self.log)? {
            return None;
        }
        if self.scan.is_some() {
            let scan = Some(found.end.clone()).filter(|end| end != "0");
            // Entries that were appended during the scan are in the stream.
            return Some((Self { scan, ..self.clone() }, true));
        }
        let added = self.added + found.count;
        let has_more = found.count >= limit;
        // Elements that were added but are missing were trimmed or deleted before the reader saw them.
        if !has_more && added != found.added {
            return None;
        }
        Some((Self { added, log: found.end.clone(), ..self.clone() }, has_more))
    }
}

/// Parses the `id` of an element: a time in milliseconds, and a number.
fn element(id: &str) -> Option<(u64, u64)> {
    let (millis, number) = id.split_once('-')?;
    Some((millis.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(log: &str, added: u64, scan: Option<&str>) -> Position {
        let (run_id, name) = ("0a1b".to_owned(), "n".to_owned());
        let scan = scan.map(str::to_owned);
        Position { run_id, name, wakes: 2, added, log: log.to_owned(), scan }
    }

    fn info() -> Info {
        Info::parse(&crate::info::tests::text("7.2.0", 0)).unwrap()
    }

    fn found(last: &str, added: u64, end: &str, count: u64) -> Found {
        let (name, last, end) = ("n".to_owned(), last.to_owned(), end.to_owned());
        Found { name, last, added, end, count, entries: Vec::new() }
    }

    #[test]
    fn positions_survive_text_and_foreign_text_is_none() {
        for position in [at("0-0", 0, None), at("17-3", 9, None), at("17-3", 9, Some("96"))] {
            assert_eq!(Position::parse(&position.to_cursor()), Some(position));
        }
        for text in ["", "7", "r|n|0|0|17|", "r|n|0|x|17-0|", "r|n|0|0|17-0|x", "r|n|0|0|1-1||"] {
            assert_eq!(Position::parse(&Cursor::new(text)), None, "{text}");
        }
    }

    #[test]
    fn stream_is_followed() {
        let start = at("5-0", 2, None);
        let (next, again) = start.next(&info(), &found("5-0", 2, "5-0", 0), 10).unwrap();
        assert!(!again && next == start);
        let (next, again) = start.next(&info(), &found("9-0", 20, "8-0", 10), 10).unwrap();
        assert!(again && next == at("8-0", 12, None));
        let (next, again) = next.next(&info(), &found("9-0", 20, "9-0", 8), 10).unwrap();
        assert!(!again && next == at("9-0", 20, None));
    }

    #[test]
    fn scan_ends_with_a_read_of_the_stream_from_its_start() {
        let (one, again) = Position::of_scan(info(), &found("5-0", 2, "77", 0), 2);
        assert!(again && one == at("5-0", 2, Some("77")));
        let (two, again) = one.next(&info(), &found("8-0", 4, "0", 0), 10).unwrap();
        assert!(again && two == at("5-0", 2, None));
        let (whole, again) = Position::of_scan(info(), &found("5-0", 2, "0", 0), 2);
        assert!(!again && whole == at("5-0", 2, None));
    }

    #[test]
    fn changed_past_is_noticed() {
        let restarted = Info { run_id: "other".to_owned(), ..info() };
        let flushed = Found { name: "other".to_owned(), ..found("6-0", 3, "6-0", 1) };
        for (what, info, found) in [
            ("a restart", restarted, found("6-0", 3, "6-0", 1)),
            ("a flush", info(), flushed),
            ("a backup", info(), found("4-0", 1, "5-0", 0)),
            ("a trimmed unread element", info(), found("6-0", 4, "6-0", 1)),
            ("a stream that began again", info(), found("6-0", 1, "6-0", 1)),
        ] {
            assert_eq!(at("5-0", 2, None).next(&info, &found, 10), None, "{what}");
        }
    }
}
