//! The bounded channel through which a query's events go to who asked for them: a thread that waits, or a task that is woken,
//! so that many readers need no threads.
//!
//! Who sends waits for room, or keeps what there is no room for. A reader may say how long that may last: one that takes
//! nothing for longer is given up. Its last event, behind those that wait already, tells why.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::engine::RowEvent;
use crate::engine::rows::row_bytes;
use crate::error::Error;
use crate::messages;
use crate::time::now;

/// Bytes of rows that may wait in the channel of a query, the last event's beyond.
pub const CHANNEL_BYTES_MAX: usize = 1 << 20;

/// A channel for so many events, as long as those that wait have fewer bytes than that.
pub fn event_channel(events_max: usize, bytes_max: usize) -> (EventSender, Events) {
    let (came, room) = (Condvar::new(), Condvar::new());
    let shared = Arc::new(Shared { queue: Mutex::default(), came, room, events_max, bytes_max });
    (EventSender { shared: shared.clone() }, Events { shared })
}

struct Shared {
    queue: Mutex<Queue>,
    /// For a thread that receives.
    came: Condvar,
    /// For a thread that sends.
    room: Condvar,
    events_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct Queue {
    /// With about the bytes that each takes.
    events: VecDeque<(RowEvent, usize)>,
    bytes: usize,
    /// A task that receives, to be woken.
    task: Option<Waker>,
    /// There will be no more events.
    ended: bool,
    /// Nobody takes any.
    unread: bool,
    patience: Option<Patience>,
    bounds: Option<Bounds>,
    /// Since when there has been no room for an event.
    full_since: Option<Instant>,
}

/// How much a query may give, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// None: any number.
    pub rows_max: Option<u64>,
    /// None: any time.
    pub time_max: Option<Duration>,
    /// When the query began.
    pub since: Option<Instant>,
}

impl Bounds {
    fn is_over(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }

    fn time_left(&self) -> Option<Duration> {
        let (longest, since) = self.time_max.zip(self.since)?;
        Some(longest.saturating_sub(since.elapsed()))
    }

    /// What of the bounds an event breaks.
    fn broken_by(&mut self, event: &RowEvent) -> Option<Error> {
        if let (Some(left), RowEvent::Rows(rows)) = (&mut self.rows_max, event) {
            match left.checked_sub(rows.len() as u64) {
                Some(less) => *left = less,
                None => {
                    return Some(messages::pull::too_many_rows());
                }
            }
        }
        // What came in time is given, however late it is taken.
        None
    }

    fn late(&self) -> Error {
        let ms = self.time_max.unwrap_or_default().as_millis();
        Error::world(format!("The query took longer than pull.time.max.ms allows, {ms} ms."))
            .hint("ask for keys, or for fewer rows, with WHERE")
    }
}

/// How long events may wait for a reader who takes none.
struct Patience {
    longest: Duration,
    /// Called when the reader is given up.
    over: Option<Box<dyn FnOnce() + Send>>,
}

/// The end that gives events.
pub struct EventSender {
    shared: Arc<Shared>,
}

/// The events of a query, in order. Dropped, it lets the sender know that nobody wants them.
pub struct Events {
    shared: Arc<Shared>,
}

impl EventSender {
    /// Gives an event if there is room.
    ///
    /// Errors: there is none now; nobody takes events any more, or not in time.
    pub fn try_send(&self, event: RowEvent) -> Result<(), TrySendError<RowEvent>> {
        let bytes = bytes_of(&event);
        let mut queue = self.shared.queue.lock();
        if queue.is_over() {
            return Err(TrySendError::Disconnected(event));
        }
        if self.shared.has_room(&queue) {
            self.shared.push(queue, event, bytes);
            return Ok(());
        }
        match queue.wait_left() {
            Some(Duration::ZERO) => {
                self.shared.give_up(queue);
                Err(TrySendError::Disconnected(event))
            }
            _ => Err(TrySendError::Full(event)),
        }
    }

    /// Gives an event, and waits for room.
    ///
    /// Errors: nobody takes events any more, or not in time.
    pub fn send(&self, event: RowEvent) -> Result<(), SendError<RowEvent>> {
        let bytes = bytes_of(&event);
        let mut queue = self.shared.queue.lock();
        loop {
            if queue.is_over() {
                return Err(SendError(event));
            }
            if self.shared.has_room(&queue) {
                self.shared.push(queue, event, bytes);
                return Ok(());
            }
            match queue.wait_left() {
                None => self.shared.room.wait(&mut queue),
                Some(Duration::ZERO) => {
                    self.shared.give_up(queue);
                    return Err(SendError(event));
                }
                Some(left) => drop(self.shared.room.wait_for(&mut queue, left)),
            }
        }
    }
}

impl Queue {
    fn is_over(&self) -> bool {
        self.unread || self.ended
    }

    /// There is no room: how long the sender may still wait for some. None: for ever.
    fn wait_left(&mut self) -> Option<Duration> {
        let since = *self.full_since.get_or_insert_with(now);
        self.patience.as_ref().map(|patience| patience.longest.saturating_sub(since.elapsed()))
    }

    fn take(&mut self) -> Option<RowEvent> {
        let (event, bytes) = self.events.pop_front()?;
        self.bytes -= bytes;
        self.full_since = None;
        match self.bounds.as_mut().and_then(|bounds| bounds.broken_by(&event)) {
            Some(error) => Some(self.end_with(error)),
            None => Some(event),
        }
    }

    /// Nothing comes behind this.
    fn end_with(&mut self, error: Error) -> RowEvent {
        self.events.clear();
        (self.bytes, self.ended) = (0, true);
        RowEvent::Failed(error)
    }

    fn end_late(&mut self) -> RowEvent {
        let error = self.bounds.take().unwrap_or_default().late();
        self.end_with(error)
    }
}

/// Bytes that an event takes, about.
fn bytes_of(event: &RowEvent) -> usize {
    match event {
        RowEvent::Rows(rows) => rows.iter().map(row_bytes).sum(),
        RowEvent::Line(text) | RowEvent::Warning(text) | RowEvent::End(text) => text.len(),
        RowEvent::Failed(_) => 0,
    }
}

impl Shared {
    fn has_room(&self, queue: &Queue) -> bool {
        queue.events.len() < self.events_max && queue.bytes < self.bytes_max
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, event: RowEvent, bytes: usize) {
        queue.events.push_back((event, bytes));
        queue.bytes += bytes;
        self.tell(queue);
    }

    /// Whoever receives looks again.
    fn tell(&self, mut queue: MutexGuard<'_, Queue>) {
        let task = queue.task.take();
        drop(queue);
        self.came.notify_one();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// The reader takes too long.
    fn give_up(&self, mut queue: MutexGuard<'_, Queue>) {
        let patience = queue.patience.take();
        let longest = patience.as_ref().map_or(Duration::ZERO, |patience| patience.longest);
        let why = format!("The query was ended: its reader took none of its rows for {} s", longest.as_secs_f64());
        // The one event beyond the bound.
        queue.events.push_back((RowEvent::Failed(Error::world(why)), 0));
        queue.ended = true;
        self.tell(queue);
        if let Some(over) = patience.and_then(|patience| patience.over) {
            over();
        }
    }
}

impl Events {
    /// Waits for the next event.
    ///
    /// Errors: there will be none.
    pub fn recv(&self) -> Result<RowEvent, RecvError> {
        let mut queue = self.shared.queue.lock();
        loop {
            if let Some(event) = self.take(&mut queue) {
                return Ok(event);
            }
            if queue.ended {
                return Err(RecvError);
            }
            match queue.bounds.as_ref().and_then(Bounds::time_left) {
                Some(left) if left.is_zero() => return Ok(queue.end_late()),
                Some(left) => drop(self.shared.came.wait_for(&mut queue, left)),
                None => self.shared.came.wait(&mut queue),
            }
        }
    }

    /// Waits for the next event, so long at most.
    ///
    /// Errors: none came; there will be none.
    pub fn recv_timeout(&self, longest: Duration) -> Result<RowEvent, RecvTimeoutError> {
        let until = now() + longest;
        let mut queue = self.shared.queue.lock();
        loop {
            if let Some(event) = self.take(&mut queue) {
                return Ok(event);
            }
            if queue.ended {
                return Err(RecvTimeoutError::Disconnected);
            }
            let left = until.saturating_duration_since(now());
            if left.is_zero() {
                return Err(RecvTimeoutError::Timeout);
            }
            self.shared.came.wait_for(&mut queue, left);
        }
    }

    /// The next event, if it is there.
    ///
    /// Errors: it isn't; there will be none.
    pub fn try_recv(&self) -> Result<RowEvent, TryRecvError> {
        let mut queue = self.shared.queue.lock();
        match self.take(&mut queue) {
            Some(event) => Ok(event),
            None if queue.ended => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    /// The next event; None: there will be none. While there is none, the task is woken when it comes.
    pub fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Option<RowEvent>> {
        let mut queue = self.shared.queue.lock();
        match self.take(&mut queue) {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.ended => Poll::Ready(None),
            None if queue.bounds.as_ref().is_some_and(Bounds::is_over) => Poll::Ready(Some(queue.end_late())),
            None => {
                match &mut queue.task {
                    Some(task) => task.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// The next event, for a task; None: there will be none.
    pub async fn next(&self) -> Option<RowEvent> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// The events that are yet to come, until there will be none.
    pub fn iter(&self) -> impl Iterator<Item = RowEvent> + '_ {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// From now on, a reader that takes nothing for so long while an event waits for room is given up: the sender finds the
    /// channel closed, and the last event tells why. `over` is called then, by the sender.
    pub fn give_up_after(&self, longest: Duration, over: impl FnOnce() + Send + 'static) {
        self.shared.queue.lock().patience = Some(Patience { longest, over: Some(Box::new(over)) });
        // A sender that waits already, waits anew.
        self.shared.room.notify_one();
    }

    /// From now on, rows beyond these bounds end the query with an error. Who waits as a task finds out about the time when the next
    /// event comes.
    pub fn bound(&self, bounds: Bounds) {
        self.shared.queue.lock().bounds = Some(bounds);
    }

    fn take(&self, queue: &mut Queue) -> Option<RowEvent> {
        let event = queue.take();
        if event.is_some() {
            self.shared.room.notify_one();
        }
        event
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.ended = true;
        self.shared.tell(queue);
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.unread = true;
        let left = std::mem::take(&mut queue.events);
        drop(queue);
        self.shared.room.notify_one();
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::engine::Row;
    use crate::types::Value;

    fn line(number: usize) -> RowEvent {
        RowEvent::Line(number.to_string())
    }

    #[test]
    fn events_come_in_their_order_whoever_waits() {
        let (sender, events) = event_channel(3, usize::MAX);
        let sending = std::thread::spawn(move || (0..1000).for_each(|number| sender.send(line(number)).unwrap()));
        for number in 0..1000 {
            let event = match number % 3 {
                0 => events.recv().unwrap(),
                1 => events.recv_timeout(Duration::from_secs(60)).unwrap(),
                _ => loop {
                    match events.try_recv() {
                        Ok(event) => break event,
                        Err(error) => assert_eq!(error, TryRecvError::Empty),
                    }
                    std::thread::yield_now();
                },
            };
            assert_eq!(event, line(number));
        }
        sending.join().unwrap();
        assert_eq!(events.recv(), Err(RecvError));
        assert_eq!(events.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(events.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Disconnected));
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_is_woken_by_an_event_and_by_the_end() {
        let (sender, events) = event_channel(2, usize::MAX);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        assert_eq!(events.poll_recv(&mut context), Poll::Pending);
        sender.try_send(line(1)).unwrap();
        sender.try_send(line(2)).unwrap();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "once, however many come");
        assert_eq!(events.poll_recv(&mut context), Poll::Ready(Some(line(1))));
        assert_eq!(events.poll_recv(&mut context), Poll::Ready(Some(line(2))));
        assert_eq!(events.poll_recv(&mut context), Poll::Pending);
        drop(sender);
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        assert_eq!(events.poll_recv(&mut context), Poll::Ready(None));
    }

    #[test]
    fn who_sends_finds_out_that_nobody_takes_events() {
        let (sender, events) = event_channel(1, usize::MAX);
        sender.send(line(0)).unwrap();
        assert_eq!(sender.try_send(line(1)), Err(TrySendError::Full(line(1))));
        let sending = std::thread::spawn(move || (sender.send(line(2)), sender));
        drop(events);
        let (sent, sender) = sending.join().unwrap();
        assert_eq!(sent, Err(SendError(line(2))));
        assert_eq!(sender.try_send(line(3)), Err(TrySendError::Disconnected(line(3))));
    }

    /// What there was room for comes, then the reason; one that takes something in time is not given up.
    #[test]
    fn a_reader_that_takes_nothing_is_given_up_with_the_reason() {
        for waits in [true, false] {
            let (sender, events) = event_channel(2, usize::MAX);
            let given_up = Arc::new(AtomicUsize::new(0));
            let told = given_up.clone();
            events.give_up_after(Duration::from_millis(20), move || {
                told.fetch_add(1, Ordering::SeqCst);
            });
            sender.send(line(0)).unwrap();
            sender.send(line(1)).unwrap();
            let refused = match waits {
                true => sender.send(line(2)).is_err(),
                false => loop {
                    match sender.try_send(line(2)) {
                        Err(TrySendError::Full(_)) => std::thread::yield_now(),
                        other => break other == Err(TrySendError::Disconnected(line(2))),
                    }
                },
            };
            assert!(refused && given_up.load(Ordering::SeqCst) == 1);
            assert_eq!(sender.try_send(line(3)), Err(TrySendError::Disconnected(line(3))));
            assert_eq!([events.recv().unwrap(), events.recv().unwrap()], [line(0), line(1)]);
            let RowEvent::Failed(error) = events.recv().unwrap() else { panic!("no reason") };
            assert_eq!(error.what, "The query was ended: its reader took none of its rows for 0.02 s");
            assert_eq!(events.recv(), Err(RecvError));
        }
    }

    #[test]
    fn the_time_of_a_reader_begins_anew_with_each_event_it_takes() {
        let (sender, events) = event_channel(1, usize::MAX);
        events.give_up_after(Duration::ZERO, || ());
        sender.try_send(line(0)).unwrap();
        // There was room all the time.
        events.recv().unwrap();
        sender.try_send(line(1)).unwrap();
        assert!(events.shared.queue.lock().full_since.is_none());
        assert_eq!(sender.try_send(line(2)), Err(TrySendError::Disconnected(line(2))));
    }

    #[test]
    fn the_bytes_that_wait_are_bounded() {
        let (sender, events) = event_channel(100, 10);
        sender.try_send(RowEvent::Line("123456".into())).unwrap();
        sender.try_send(RowEvent::Line("a long one is taken whole".into())).unwrap();
        assert!(matches!(sender.try_send(line(1)), Err(TrySendError::Full(_))));
        events.recv().unwrap();
        assert!(matches!(sender.try_send(line(1)), Err(TrySendError::Full(_))));
        events.recv().unwrap();
        sender.try_send(line(1)).unwrap();
    }

    #[test]
    fn rows_and_time_are_bounded() {
        let rows = |count: i32| {
            let row = |number| Row { values: vec![Value::Int(number)], tombstone: false };
            RowEvent::Rows((0..count).map(row).collect())
        };
        let (sender, events) = event_channel(10, usize::MAX);
        events.bound(Bounds { rows_max: Some(5), ..Bounds::default() });
        [3, 2, 1].into_iter().for_each(|count| sender.send(rows(count)).unwrap());
        assert_eq!([events.recv().unwrap(), events.recv().unwrap()], [rows(3), rows(2)]);
        let RowEvent::Failed(error) = events.recv().unwrap() else { panic!("too many rows") };
        assert_eq!(error.what, "The query gives more rows than pull.rows.max allows.");
        assert_eq!(events.recv(), Err(RecvError));
        assert!(sender.send(rows(1)).is_err(), "the query learns of it");
        let (sender, events) = event_channel(10, usize::MAX);
        sender.send(rows(1)).unwrap();
        events.bound(Bounds { time_max: Some(Duration::ZERO), since: Some(now()), ..Bounds::default() });
        assert_eq!(events.recv().unwrap(), rows(1), "what is there came in time");
        let RowEvent::Failed(error) = events.recv().unwrap() else { panic!("too late") };
        assert_eq!(error.what, "The query took longer than pull.time.max.ms allows, 0 ms.");
        assert!(sender.send(rows(1)).is_err());
    }
}
