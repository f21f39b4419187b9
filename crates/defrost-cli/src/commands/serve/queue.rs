//! The queue between connections and cores.
//!
//! What waits when cores are free is a batch, whichever connections it came from; nothing waits for a batch to fill, so batches
//! are small when there is time and large when there isn't. Two batches are under way at any time: while the last pictures of
//! one are seen, the next one keeps the other cores busy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use defrost::predict::Predictor;
use rayon::prelude::*;
use tokio::sync::{mpsc, oneshot};

use super::metrics::Metrics;
use super::refusal::Refusal;

/// Pictures of a batch for each core: enough that a batch's ragged end is short beside it, few enough that it is seen soon.
const BATCH_PER_THREAD: usize = 8;
/// Batches under way.
const BATCHES: usize = 2;
/// No client is sent away for longer, in seconds.
const LONGEST_RETRY: u64 = 30;

type Job = Box<dyn FnOnce(&Predictor) + Send>;

/// Where work on pictures waits.
#[derive(Debug)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Job>,
    metrics: Arc<Metrics>,
    pace: Arc<Pace>,
    timeout: Duration,
}

impl Queue {
    /// Starts the workers; they end when the queue is dropped. Nobody waits longer than `timeout`.
    pub(super) fn start(
        predictor: &Arc<Predictor>,
        capacity: usize,
        timeout: Duration,
        metrics: &Arc<Metrics>,
    ) -> Queue {
        let (jobs, receiver) = mpsc::channel(capacity);
        let (receiver, pace) = (Arc::new(Mutex::new(receiver)), Arc::new(Pace::default()));
        for _ in 0..BATCHES {
            let worker = Worker {
                predictor: Arc::clone(predictor),
                receiver: Arc::clone(&receiver),
                metrics: Arc::clone(metrics),
                pace: Arc::clone(&pace),
            };
            std::thread::spawn(move || worker.work());
        }
        Queue { jobs, metrics: Arc::clone(metrics), pace, timeout }
    }

    /// Does `tasks` on all cores; the results in their order.
    ///
    /// # Errors
    /// When there is no room for all of them, or one was lost.
    pub(super) async fn run<T, F>(&self, tasks: Vec<F>) -> Result<Vec<T>, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Predictor) -> T + Send + 'static,
    {
        let places = self
            .jobs
            .try_reserve_many(tasks.len())
            .map_err(|_| Refusal::busy("too many pictures are waiting", self.retry_after()))?;
        let mut answers = Vec::with_capacity(tasks.len());
        for (place, task) in places.zip(tasks) {
            let (answer, receiver) = oneshot::channel();
            self.metrics.waiting.inc();
            place.send(Box::new(move |predictor| {
                // Nobody waits for the answer of a request that has timed out or was closed.
                if !answer.is_closed() {
                    let _ = answer.send(task(predictor));
                }
            }));
            answers.push(receiver);
        }
        let all = async {
            let mut done = Vec::with_capacity(answers.len());
            for answer in answers {
                done.push(answer.await.map_err(|_| Refusal::lost())?);
            }
            Ok(done)
        };
        tokio::time::timeout(self.timeout, all).await.unwrap_or_else(|_| {
            let seconds = self.timeout.as_secs_f64();
            Err(Refusal::busy(format!("there was no answer within {seconds} s"), self.retry_after()))
        })
    }

    /// Seconds until what waits now is done, at the pace of the last batches.
    pub(super) fn retry_after(&self) -> u64 {
        let waiting = self.jobs.max_capacity() - self.jobs.capacity();
        (self.pace.of(waiting).as_secs_f64().ceil() as u64).clamp(1, LONGEST_RETRY)
    }
}

/// How long a picture takes where all cores work, as a mean that forgets.
#[derive(Debug, Default)]
struct Pace(AtomicU64);

impl Pace {
    fn note(&self, pictures: usize, took: Duration) {
        let one = took.as_nanos() as u64 / pictures.max(1) as u64;
        let old = self.0.load(Ordering::Relaxed);
        self.0.store(if old == 0 { one } else { old - old / 8 + one / 8 }, Ordering::Relaxed);
    }

    fn of(&self, pictures: usize) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed).saturating_mul(pictures as u64))
    }
}

struct Worker {
    predictor: Arc<Predictor>,
    receiver: Arc<Mutex<mpsc::Receiver<Job>>>,
    metrics: Arc<Metrics>,
    pace: Arc<Pace>,
}

impl Worker {
    fn work(&self) {
        let most = BATCH_PER_THREAD * rayon::current_num_threads();
        loop {
            let mut batch = Vec::with_capacity(most);
            let taken = {
                let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
                receiver.blocking_recv_many(&mut batch, most)
            };
            if taken == 0 {
                return;
            }
            self.metrics.waiting.dec_by(taken as i64);
            self.metrics.batch.observe(taken as f64);
            let begun = Instant::now();
            batch.into_par_iter().with_max_len(1).for_each(|job| {
                // A task that panics drops its answer, which tells the request; the others go on.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&self.predictor)));
            });
            self.pace.note(taken, begun.elapsed());
        }
    }
}
