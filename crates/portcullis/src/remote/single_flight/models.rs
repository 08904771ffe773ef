//! Models of single-flight: requests, computations and abandoned computations in every interleaving.

use std::sync::atomic::{AtomicU32 as StdU32, Ordering};

use loom::future::block_on;
use loom::thread;

use super::*;
use crate::sync::model::{explore, spawn};

const NOW: Duration = Duration::from_secs(100);
const AFTER: Duration = Duration::from_secs(5);

/// The computations of one key.
#[derive(Default)]
struct Counts {
    running: StdU32,
    started: StdU32,
}

fn deadline() -> Deadline {
    Deadline { url: Arc::from("https://issuer.example"), after: AFTER }
}

/// Joins the computation of the line, or starts one that returns its number.
fn join(line: &Arc<Line<u64>>, counts: &Arc<Counts>, now: Duration) -> Flight<u64> {
    let mut flights = line.lock();
    if let Ok(Some(flight)) = flights.under_way(now) {
        return flight;
    }
    let (line, counts) = (line.clone(), counts.clone());
    let flight = flights.start(now, deadline(), |number| async move {
        counts.started.fetch_add(1, Ordering::Relaxed);
        let before = counts.running.fetch_add(1, Ordering::Relaxed);
        assert_eq!(before, 0, "two computations of one key");
        thread::yield_now();
        counts.running.fetch_sub(1, Ordering::Relaxed);
        line.land(number);
        Ok(number)
    });
    flight.unwrap()
}

#[test]
fn one_computation_runs_and_every_request_gets_its_result() {
    explore("single-flight: two requests and another key", || {
        let flights = Arc::new(SingleFlight::new(8));
        let counts = Arc::<Counts>::default();
        let request = |flights: &SingleFlight<&str, u64>, counts: &Arc<Counts>| {
            let line = flights.line(&"key").unwrap();
            let place = line.place().unwrap();
            let flight = join(&line, counts, NOW);
            let is_later = place.precedes(&flight);
            let number = block_on(flight.landed()).unwrap();
            assert!(number >= 1 && (number == 1 || is_later), "number {number}");
        };
        let (others, counted) = (flights.clone(), counts.clone());
        let requesting = spawn(move || request(&others, &counted));
        request(&flights, &counts);
        // Removes the lines that are not in use.
        flights.line(&"another").unwrap();
        requesting.join().unwrap();
        let started = counts.started.load(Ordering::Relaxed);
        assert!((1..=2).contains(&started), "{started} computations");
    });
}

#[test]
fn line_that_is_in_use_is_not_replaced() {
    explore("single-flight: a new key while a line is in use", || {
        let flights = Arc::new(SingleFlight::<&str, u64>::new(8));
        let others = flights.clone();
        let adding = spawn(move || {
            others.line(&"another");
            others.line(&"key").unwrap()
        });
        let line = flights.line(&"key").unwrap();
        flights.line(&"third");
        let other = adding.join().unwrap();
        assert!(Arc::ptr_eq(&line, &other), "two lines of one key");
    });
}

#[test]
fn late_result_of_an_abandoned_computation_is_dropped() {
    explore("single-flight: an abandoned computation", || {
        let line = Arc::new(Line::<u64>::default());
        // The numbers of the computations, in the order in which they landed or were abandoned.
        let ends = Arc::new(std::sync::Mutex::new(Vec::new()));
        let start = |now: Duration| {
            let mut flights = line.lock();
            match flights.under_way(now) {
                Ok(Some(flight)) => return flight,
                Ok(None) => {}
                Err(_abandoned) => ends.lock().unwrap().push((1, "abandoned")),
            }
            let (line, ends) = (line.clone(), ends.clone());
            let flight = flights.start(now, deadline(), |number| async move {
                if let Some(_flights) = line.land(number) {
                    ends.lock().unwrap().push((number, "landed"));
                }
                Ok(number)
            });
            flight.unwrap()
        };
        let first = start(NOW);
        let second = start(NOW + AFTER + PATIENCE + Duration::from_nanos(1));
        assert_eq!(block_on(first.landed()).unwrap(), 1);
        assert_eq!(block_on(second.landed()).unwrap(), 2);
        let ends = ends.lock().unwrap();
        let landed = [(1, "landed"), (2, "landed")];
        let abandoned = [(1, "abandoned"), (2, "landed")];
        assert!(*ends == landed || *ends == abandoned, "{ends:?}");
    });
}
