//! Reconciles of many objects after one change, in batches (docs/decisions/0022-fan-out-in-batches.md).
//!
//! A change of a BackendConfig affects every object of a namespace, or of all. If all of them were queued at once, an object
//! that a user edits now would wait behind them. So they are released in batches of twice the concurrency; the next batch
//! follows when a quarter of the current one is left. A user's edit is overtaken by one batch at most, because some workers
//! are free before the next.
//!
//! An object waits once, however often it is affected, and no longer when its reconcile starts for another reason, because
//! that reconcile sees the change as well. A change during a reconcile makes the object wait again.

use futures::{Stream, StreamExt, stream};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The objects that wait, and those that were released and whose reconcile has not ended.
#[derive(Debug)]
pub(crate) struct FanOut<Key> {
    /// Maximum number of released objects.
    most: usize,
    /// Number of released objects at or below which more are released.
    few: usize,
    state: Mutex<State<Key>>,
}

#[derive(Debug)]
struct State<Key> {
    /// Numbers the objects in the order of waiting.
    next: u64,
    queue: BTreeMap<u64, Arc<Key>>,
    waiting: HashMap<Arc<Key>, u64>,
    /// True while the reconcile runs; a reconcile that ran already when its object was released does not count.
    released: HashMap<Arc<Key>, bool>,
    /// Whether a batch is being released.
    open: bool,
    waker: Option<Waker>,
}

impl<Key: Hash + Eq> FanOut<Key> {
    /// For a maximum number of concurrent reconciles.
    pub(crate) fn new(concurrency: u16) -> Self {
        let concurrency = usize::from(concurrency.max(1));
        let state = State {
            next: 0,
            queue: BTreeMap::new(),
            waiting: HashMap::new(),
            released: HashMap::new(),
            open: true,
            waker: None,
        };
        Self { most: concurrency * 2, few: concurrency / 2, state: Mutex::new(state) }
    }

    /// Releases the objects that changes affect. Changes are read immediately, so that the caches behind them stay filled; ends
    /// after the last object of the last change.
    pub(crate) fn released<S>(self: &Arc<Self>, changes: S) -> impl Stream<Item = Key> + Send + use<Key, S>
    where
        S: Stream<Item = Vec<Key>> + Send + 'static,
        Key: Clone + Send + Sync + 'static,
    {
        let fan_out = self.clone();
        let mut changes = Box::pin(changes.fuse());
        stream::poll_fn(move |cx| {
            while let Poll::Ready(Some(concerned)) = changes.poll_next_unpin(cx) {
                fan_out.wait(concerned);
            }
            fan_out.poll(cx, changes.is_done())
        })
    }

    /// A reconcile of an object begins; it ends when the returned value is dropped.
    pub(crate) fn begin(self: &Arc<Self>, key: Key) -> Run<Key> {
        let mut state = self.state();
        // The reconcile sees whatever the object waits for.
        state.leave(&key);
        if let Some(runs) = state.released.get_mut(&key) {
            *runs = true;
        }
        drop(state);
        Run { fan_out: self.clone(), key }
    }

    /// An object is deleted: there will be no reconcile of it.
    pub(crate) fn gone(&self, key: &Key) {
        let mut state = self.state();
        state.leave(key);
        state.released.remove(key);
        state.wake();
    }

    /// Number of objects that wait or were released.
    pub(crate) fn entries(&self) -> usize {
        let state = self.state();
        state.waiting.len() + state.released.len()
    }

    /// Adds objects to those that wait.
    fn wait(&self, concerned: Vec<Key>) {
        let mut state = self.state();
        for key in concerned {
            if !state.waiting.contains_key(&key) {
                let (key, number) = (Arc::new(key), state.next);
                state.next += 1;
                state.queue.insert(number, key.clone());
                state.waiting.insert(key, number);
            }
        }
    }

    /// The next object that is released.
    fn poll(&self, cx: &Context<'_>, last: bool) -> Poll<Option<Key>>
    where
        Key: Clone,
    {
        let mut state = self.state();
        let number = state.released.len();
        state.open = number < self.most && (state.open || number <= self.few);
        let next = if state.open { state.queue.pop_first() } else { None };
        match next {
            Some((_, key)) => {
                state.waiting.remove(&key);
                state.released.insert(key.clone(), false);
                Poll::Ready(Some(Key::clone(&key)))
            }
            None if last && state.queue.is_empty() => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// A reconcile ended.
    fn end(&self, key: &Key) {
        let mut state = self.state();
        if state.released.get(key) == Some(&true) {
            state.released.remove(key);
            state.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<Key>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Key: Hash + Eq> State<Key> {
    fn leave(&mut self, key: &Key) {
        if let Some(number) = self.waiting.remove(key) {
            self.queue.remove(&number);
            // The stream may have ended.
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A running reconcile.
#[must_use]
#[derive(Debug)]
pub(crate) struct Run<Key: Hash + Eq> {
    fan_out: Arc<FanOut<Key>>,
    key: Key,
}

impl<Key: Hash + Eq> Drop for Run<Key> {
    fn drop(&mut self) {
        self.fan_out.end(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::mpsc::{UnboundedSender, unbounded};
    use futures::stream::BoxStream;
    use std::collections::HashSet;
    use std::task::Poll;

    type Changes = UnboundedSender<Vec<u32>>;

    /// Two workers: batches of four, the next when at most one is left.
    fn fan_out_of_two() -> (Arc<FanOut<u32>>, Changes, BoxStream<'static, u32>) {
        let (changes, concerned) = unbounded();
        let fan_out = Arc::new(FanOut::new(2));
        let released = fan_out.released(concerned).boxed();
        (fan_out, changes, released)
    }

    /// What is released now.
    fn now(released: &mut BoxStream<'static, u32>) -> Vec<u32> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut keys = Vec::new();
        while let Poll::Ready(Some(key)) = released.poll_next_unpin(&mut cx) {
            keys.push(key);
        }
        keys
    }

    fn reconcile(fan_out: &Arc<FanOut<u32>>, keys: &[u32]) {
        for key in keys {
            drop(fan_out.begin(*key));
        }
    }

    fn is_empty(fan_out: &FanOut<u32>) -> bool {
        let state = fan_out.state();
        state.queue.is_empty() && state.waiting.is_empty() && state.released.is_empty()
    }

    #[test]
    fn objects_come_in_batches_and_in_order() {
        let (fan_out, changes, mut released) = fan_out_of_two();
        changes.unbounded_send((0..10).collect()).unwrap();
        assert_eq!(now(&mut released), [0, 1, 2, 3]);
        reconcile(&fan_out, &[0, 3]);
        assert_eq!(now(&mut released), [0; 0], "two are left, as many as there are workers");
        reconcile(&fan_out, &[2]);
        assert_eq!(now(&mut released), [4, 5, 6], "a worker is free; never more than four");
        let run = fan_out.begin(1);
        assert_eq!(now(&mut released), [0; 0], "one that runs counts");
        drop(run);
        assert_eq!(now(&mut released), [0; 0], "three are left");
        reconcile(&fan_out, &[4, 5]);
        assert_eq!(now(&mut released), [7, 8, 9]);
        reconcile(&fan_out, &[6, 7, 8, 9]);
        assert!(is_empty(&fan_out));
    }

    #[test]
    fn a_change_during_another_makes_them_wait_once_more_and_only_once() {
        let (fan_out, changes, mut released) = fan_out_of_two();
        changes.unbounded_send((0..6).collect()).unwrap();
        assert_eq!(now(&mut released), [0, 1, 2, 3]);
        let run = fan_out.begin(0);
        reconcile(&fan_out, &[1]);
        for _ in 0..3 {
            changes.unbounded_send((0..6).collect()).unwrap();
        }
        assert_eq!(now(&mut released), [0; 0]);
        assert_eq!(fan_out.state().queue.len(), 6, "each waits once");
        drop(run);
        reconcile(&fan_out, &[2, 3]);
        assert_eq!(
            now(&mut released),
            [4, 5, 0, 1],
            "0 and 1 did not see the change; 2 and 3 began after it"
        );
        reconcile(&fan_out, &[4, 5, 0, 1]);
        assert!(is_empty(&fan_out));
        assert_eq!(now(&mut released), [0; 0]);
    }

    #[test]
    fn a_reconcile_for_another_reason_will_do() {
        let (fan_out, changes, mut released) = fan_out_of_two();
        changes.unbounded_send((0..6).collect()).unwrap();
        assert_eq!(now(&mut released), [0, 1, 2, 3]);
        reconcile(&fan_out, &[5]);
        reconcile(&fan_out, &[0, 1, 2, 3]);
        assert_eq!(now(&mut released), [4]);
    }

    /// It may not have seen the change, and the object is queued once more.
    #[test]
    fn a_reconcile_that_ran_before_the_release_gives_nothing_back() {
        let (fan_out, changes, mut released) = fan_out_of_two();
        let run = fan_out.begin(0);
        changes.unbounded_send(vec![0]).unwrap();
        assert_eq!(now(&mut released), [0]);
        drop(run);
        assert_eq!(fan_out.state().released.len(), 1);
        reconcile(&fan_out, &[0]);
        assert!(is_empty(&fan_out));
    }

    #[test]
    fn deleted_objects_block_no_other() {
        let (fan_out, changes, mut released) = fan_out_of_two();
        changes.unbounded_send((0..8).collect()).unwrap();
        assert_eq!(now(&mut released), [0, 1, 2, 3]);
        for key in [0, 1, 2, 3, 6] {
            fan_out.gone(&key);
        }
        assert_eq!(now(&mut released), [4, 5, 7]);
        reconcile(&fan_out, &[4, 5, 7]);
        assert!(is_empty(&fan_out));
    }

    #[tokio::test]
    async fn the_end_of_a_reconcile_wakes_the_stream() {
        let (fan_out, changes, released) = fan_out_of_two();
        changes.unbounded_send((0..100).collect()).unwrap();
        drop(changes);
        let worker = fan_out.clone();
        let seen = released.map(move |key| {
            let worker = worker.clone();
            tokio::spawn(async move {
                let run = worker.begin(key);
                tokio::task::yield_now().await;
                assert!(worker.state().released.len() <= 4, "more than a batch");
                // The last one is added directly.
                if key == 99 {
                    worker.gone(&key);
                } else {
                    drop(run);
                }
                key
            })
        });
        // Polls the stream again only when it is woken.
        let seen: Vec<u32> = seen.buffer_unordered(2).map(Result::unwrap).collect().await;
        assert_eq!(
            seen.iter().collect::<HashSet<_>>().len(),
            100,
            "the stream ended before all were released"
        );
        assert!(is_empty(&fan_out));
    }

    /// Changes, reconciles for any reason and deletions in any order: every object gets a reconcile that begins after the
    /// last change that concerns it, the bound holds, and nothing is left.
    #[test]
    fn no_change_is_missed_whatever_happens() {
        const OBJECTS: u32 = 12;
        let mut random = 7_u64;
        let mut next = move |below: u32| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(random >> 33).unwrap() % below
        };
        for _ in 0..300 {
            let (fan_out, changes, mut released) = fan_out_of_two();
            let (mut owed, mut queued) = (HashSet::new(), HashSet::new());
            let mut runs: HashMap<u32, Run<u32>> = HashMap::new();
            let begin = |key, owed: &mut HashSet<u32>| {
                owed.remove(&key);
                fan_out.begin(key)
            };
            for _ in 0..200 {
                let key = next(OBJECTS);
                match next(6) {
                    0 => {
                        let concerned: Vec<u32> = (0..OBJECTS).filter(|_| next(2) == 0).collect();
                        owed.extend(&concerned);
                        changes.unbounded_send(concerned).unwrap();
                    }
                    1 => drop(queued.insert(key)),
                    2 => drop(runs.remove(&key)),
                    3 if !runs.contains_key(&key) && queued.remove(&key) => {
                        fan_out.gone(&key);
                        owed.remove(&key);
                    }
                    _ if !runs.contains_key(&key) && queued.remove(&key) => {
                        runs.insert(key, begin(key, &mut owed));
                    }
                    _ => {}
                }
                queued.extend(now(&mut released));
                assert!(fan_out.state().released.len() <= 4);
            }
            runs.clear();
            while !queued.is_empty() {
                for key in queued.drain().collect::<Vec<_>>() {
                    drop(begin(key, &mut owed));
                }
                queued.extend(now(&mut released));
            }
            assert!(owed.is_empty() && is_empty(&fan_out), "{owed:?} {fan_out:?}");
        }
    }
}
