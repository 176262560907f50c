//! Several calls of kubectl at a time: each waits for the API server most of the time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Calls at a time, unless the caller says otherwise.
pub(crate) const AT_ONCE: usize = 8;

/// Applies a function to each item, in several threads. The results are in the order of the items.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], at_once: usize, act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    let result = act(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn results_are_in_the_order_of_the_items_and_the_waits_overlap() {
        let started = Instant::now();
        let items: Vec<u64> = (0..20).collect();
        let wait = |n: &u64| {
            std::thread::sleep(Duration::from_millis(100 - n));
            *n
        };
        assert_eq!(each(&items, 20, wait), items);
        assert!(started.elapsed() < Duration::from_millis(1500), "one after another takes two seconds");
        assert!(each(&[] as &[u64], 4, wait).is_empty());
    }
}
