//! A connection that wakes itself is polled again at once.
//!
//! hyper hands a request's body over through a channel, and whoever reads from it wakes the connection. The handler runs
//! inside the connection's own task, so the task wakes itself while it is polled. tokio takes that for a task that
//! yields: it goes to the end of the queue, and a parked thread is woken to help. For a request that is answered in a
//! tenth of a millisecond, a thread that wakes, steals the task and parks again is a tenth of the cost.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often in a row. A future that wakes itself for ever must let others run.
const TURNS: usize = 4;

const RESTING: u8 = 0;
const POLLED: u8 = 1;
const WOKEN: u8 = 2;

/// A future whose wake-ups during its own poll lead to another poll, not to the scheduler.
pub(super) struct Repoll<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// What the future is woken through: `Resting => Polled => Resting | Woken`, `Woken => Polled`.
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

impl<F> Repoll<F> {
    pub(super) fn new(future: F) -> Self {
        let bell = Arc::new(Bell {
            state: AtomicU8::new(RESTING),
            task: AtomicWaker::new(),
        });
        Self {
            future: Box::pin(future),
            waker: Waker::from(bell.clone()),
            bell,
        }
    }
}

impl<F: Future> Future for Repoll<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.bell.task.register(context.waker());
        let mut inner = Context::from_waker(&this.waker);
        for _ in 0..TURNS {
            this.bell.state.store(POLLED, Ordering::SeqCst);
            if let Poll::Ready(output) = this.future.as_mut().poll(&mut inner) {
                return Poll::Ready(output);
            }
            let rests = this.bell.state.compare_exchange(
                POLLED,
                RESTING,
                Ordering::SeqCst,
                Ordering::SeqCst,
            );
            if rests.is_ok() {
                return Poll::Pending;
            }
        }
        this.bell.state.store(RESTING, Ordering::SeqCst);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self
            .state
            .compare_exchange(POLLED, WOKEN, Ordering::SeqCst, Ordering::SeqCst);
        if noted == Err(RESTING) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Wakes itself in the first `wakes` polls, and is ready after `ready` polls.
    fn restless(wakes: usize, ready: usize) -> impl Future<Output = usize> {
        let mut polls = 0;
        std::future::poll_fn(move |context| {
            polls += 1;
            if polls <= wakes {
                context.waker().wake_by_ref();
            }
            match polls >= ready {
                true => Poll::Ready(polls),
                false => Poll::Pending,
            }
        })
    }

    fn poll<F: Future + Unpin>(future: &mut F) -> (Poll<F::Output>, usize) {
        let counted = Arc::new(Counted::default());
        let waker = Waker::from(counted.clone());
        let polled = Pin::new(future).poll(&mut Context::from_waker(&waker));
        (polled, counted.0.load(Ordering::SeqCst))
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again_without_the_scheduler() {
        let mut future = Repoll::new(restless(2, 3));
        assert_eq!(poll(&mut future), (Poll::Ready(3), 0));
    }

    #[test]
    fn one_that_wakes_itself_for_ever_goes_back_to_the_scheduler() {
        let mut future = Repoll::new(restless(usize::MAX, usize::MAX));
        assert_eq!(poll(&mut future), (Poll::Pending, 1));
        assert_eq!(poll(&mut future), (Poll::Pending, 1));
    }

    #[test]
    fn one_that_rests_is_woken_through_the_newest_waker_of_its_task() {
        let mut future = Repoll::new(restless(0, 9));
        assert_eq!(poll(&mut future), (Poll::Pending, 0));
        let counted = Arc::new(Counted::default());
        let waker = Waker::from(counted.clone());
        assert!(
            Pin::new(&mut future)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        future.waker.wake_by_ref();
        assert_eq!(counted.0.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_wake_up_from_another_thread_is_lost() {
        for _ in 0..2_000 {
            let (tell, told) = tokio::sync::oneshot::channel();
            let waiting = tokio::spawn(Repoll::new(told));
            tokio::spawn(async move { tell.send(7) });
            assert_eq!(waiting.await.unwrap(), Ok(7));
        }
    }
}
