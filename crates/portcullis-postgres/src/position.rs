//! A position in the table: which rows a reader has seen.
//!
//! Transactions do not commit in the order of their numbers, so a number alone would skip the row of a
//! transaction that commits late. Each row contains the number of its transaction, and a position contains
//! the snapshot of the last read. The next read returns the rows of transactions that were not visible in
//! this snapshot.

use std::cmp::min;

use portcullis::feed::Cursor;

/// A snapshot in which no transaction is visible.
const NOTHING: &str = "1:1:";

/// Which rows a reader has seen, and how far it is within a read of several pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The server's start, database and table. After another start, or in another database or
    /// table, the same transaction numbers have another meaning.
    pub(crate) origin: String,
    /// The number of notifications before the read.
    pub(crate) wakes: u64,
    /// The snapshot of the last complete read.
    pub(crate) base: String,
    /// The largest transaction number among the rows seen.
    pub(crate) seen: u64,
    pub(crate) page: Option<Page>,
}

/// The end of a page that is not the last page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The snapshot of the first page.
    pub(crate) snapshot: String,
    /// The last row.
    pub(crate) xid: u64,
    pub(crate) id: String,
}

/// A row's place in the order of reading.
pub(crate) struct Place {
    pub(crate) xid: u64,
    pub(crate) id: String,
}

impl Position {
    pub(crate) fn start() -> Self {
        let (origin, base) = (String::new(), NOTHING.to_owned());
        Self { origin, wakes: 0, base, seen: 0, page: None }
    }

    pub(crate) fn parse(cursor: &Cursor) -> Option<Self> {
        let fields: Vec<_> = cursor.as_str().splitn(7, '|').collect();
        let [origin, wakes, base, seen, snapshot, xid, id] = fields.try_into().ok()?;
        let page = if snapshot.is_empty() {
            None
        } else {
            Snapshot::parse(snapshot)?;
            Some(Page { snapshot: snapshot.to_owned(), xid: xid.parse().ok()?, id: id.to_owned() })
        };
        Snapshot::parse(base)?;
        Some(Self {
            origin: origin.to_owned(),
            wakes: wakes.parse().ok()?,
            base: base.to_owned(),
            seen: seen.parse().ok()?,
            page,
        })
    }

    pub(crate) fn to_cursor(&self) -> Cursor {
        let Self { origin, wakes, base, seen, page } = self;
        let page = page.as_ref().map_or_else(
            || "||".to_owned(),
            |Page { snapshot, xid, id }| format!("{snapshot}|{xid}|{id}"),
        );
        Cursor::new(format!("{origin}|{wakes}|{base}|{seen}|{page}"))
    }

    /// Returns the position after a read from this one, and whether to read again immediately.
    ///
    /// `snapshot` is the snapshot of the read. `largest` is the largest transaction number among its
    /// rows. `last` is the last row if there are more.
    pub(crate) fn next(
        &self,
        snapshot: &str,
        largest: Option<u64>,
        last: Option<Place>,
    ) -> Option<(Self, bool)> {
        let seen = largest.map_or(self.seen, |largest| largest.max(self.seen));
        let first = self.page.as_ref().map_or(snapshot, |page| &page.snapshot);
        if let Some(Place { xid, id }) = last {
            let page = Some(Page { snapshot: first.to_owned(), xid, id });
            return Some((Self { seen, page, ..self.clone() }, true));
        }
        let base = match seen {
            0 => NOTHING.to_owned(),
            seen => Snapshot::parse(first)?.up_to(seen).to_text(),
        };
        // While the pages were read, a row that belongs before them may have been committed. So only a
        // read of one page is complete.
        let had_pages = self.page.is_some();
        Some((Self { seen, base, page: None, ..self.clone() }, had_pages))
    }
}

/// A `pg_snapshot`. Transactions below `xmin` had ended, those from `xmax` on had not begun, and those in
/// `running` were running.
struct Snapshot {
    xmin: u64,
    xmax: u64,
    running: Vec<u64>,
}

impl Snapshot {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let running = parts.next()?;
        let running = running.split(',').filter(|number| !number.is_empty());
        let running = running.map(str::parse).collect::<Result<_, _>>().ok()?;
        (0 < xmin && xmin <= xmax).then_some(Self { xmin, xmax, running })
    }

    /// Forgets the transactions after `seen`. A crash of the server ends transactions that have a
    /// number but were not written to disk, and the server then assigns their numbers again. The
    /// transaction of a row that was seen is on the disk, so no number up to this one is assigned
    /// again.
    fn up_to(self, seen: u64) -> Self {
        let end = seen.saturating_add(1);
        let mut running = self.running;
        running.retain(|number| *number < end);
        Self { xmin: min(self.xmin, end), xmax: min(self.xmax, end), running }
    }

    fn to_text(&self) -> String {
        let running: Vec<_> = self.running.iter().map(ToString::to_string).collect();
        format!("{}:{}:{}", self.xmin, self.xmax, running.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: &str, seen: u64, page: Option<(&str, u64, &str)>) -> Position {
        let page = page.map(|(snapshot, xid, id)| Page {
            snapshot: snapshot.to_owned(),
            xid,
            id: id.to_owned(),
        });
        let (origin, base) = ("o.1".to_owned(), base.to_owned());
        Position { origin, wakes: 3, base, seen, page }
    }

    #[test]
    fn positions_survive_text_and_foreign_text_is_none() {
        for position in [
            at("1:1:", 0, None),
            at("5:9:5,7", 8, None),
            at("5:9:5,7", 8, Some(("6:10:", 7, "a|b"))),
        ] {
            assert_eq!(Position::parse(&position.to_cursor()), Some(position));
        }
        for text in ["", "7", "o|0|1:1:|0", "o|0|x|0|||", "o|0|9:5:|0|||", "o|0|1:1:|0|7|1|a"] {
            assert_eq!(Position::parse(&Cursor::new(text)), None, "{text}");
        }
    }

    #[test]
    fn unfinished_transaction_is_read_later_and_unwritten_numbers_are_forgotten() {
        let start = at("1:1:", 0, None);
        for (snapshot, largest, base, seen) in [
            // No row has been seen yet.
            ("700:700:", None, "1:1:", 0),
            // 700 is running while 701 is seen.
            ("700:702:700", Some(701), "700:702:700", 701),
            // 702 to 799 belong to other tables, and may be lost in a crash.
            ("750:800:750,760", Some(701), "702:702:", 701),
            ("700:800:700,760", Some(701), "700:702:700", 701),
        ] {
            let (next, again) = start.next(snapshot, largest, None).unwrap();
            assert_eq!((&*next.base, next.seen, again), (base, seen, false), "{snapshot}");
        }
    }

    #[test]
    fn read_of_several_pages_ends_with_a_read_from_its_first_snapshot() {
        let place = |xid, id: &str| Some(Place { xid, id: id.to_owned() });
        let (one, again) = at("1:1:", 0, None).next("9:9:", Some(5), place(5, "m")).unwrap();
        assert!(again && one == at("1:1:", 5, Some(("9:9:", 5, "m"))));
        let (two, again) = one.next("12:12:", Some(8), place(8, "a")).unwrap();
        assert!(again && two == at("1:1:", 8, Some(("9:9:", 8, "a"))));
        // 11 was committed after the first page.
        let (three, again) = two.next("12:12:", Some(11), None).unwrap();
        assert!(again && three == at("9:9:", 11, None), "{three:?}");
        let (four, again) = three.next("12:12:", Some(11), None).unwrap();
        assert!(!again && four == at("12:12:", 11, None), "{four:?}");
    }
}
