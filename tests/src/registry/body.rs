//! Bodies: requests that are counted and cut short, answers that are sent with what faults make of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::Version;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};

use super::connection::Connection;
use super::fault::{Ending, Pace, RequestFault, Stop};
use super::record::Entry;
use crate::Content;

const CHUNK: usize = 64 * 1024;

pub(super) type AnswerBody = UnsyncBoxBody<Bytes, Cut>;

/// The connection or stream is to end here; hyper takes it from the body or the service.
#[derive(Debug)]
pub(super) struct Cut(pub(super) Option<h2::Error>);

impl Cut {
    pub(super) fn of(ending: Ending) -> Self {
        match ending {
            Ending::Stream(code) => Self(Some(h2::Reason::from(code).into())),
            Ending::Close | Ending::Reset | Ending::GoAway(_) => Self(None),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("cut by a fault")
    }
}

impl std::error::Error for Cut {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().map(|reason| reason as _)
    }
}

/// The body of a request, which counts itself and may stop at a position.
#[derive(Debug)]
pub(super) struct RequestBody {
    incoming: Incoming,
    entry: Arc<Entry>,
    fault: RequestFault,
    /// How many bytes were given out.
    position: u64,
}

/// The client went away, or a fault stopped the reading.
#[derive(Debug)]
pub(super) struct Broken;

impl RequestBody {
    pub(super) fn new(incoming: Incoming, entry: Arc<Entry>, fault: RequestFault) -> Self {
        Self {
            incoming,
            entry,
            fault,
            position: 0,
        }
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let (limit, stop) = match self.fault {
            RequestFault::None => (u64::MAX, false),
            RequestFault::Stop(limit, _) => (limit, true),
            RequestFault::Lose(limit) => (limit, false),
        };
        loop {
            let left = limit - self.position;
            if stop && left == 0 {
                return Err(Broken);
            }
            let Some(frame) = self.incoming.frame().await else {
                return Ok(None);
            };
            let Ok(mut bytes) = frame.map_err(|_| Broken)?.into_data() else {
                continue;
            };
            let came = bytes.len();
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.position += bytes.len() as u64;
            self.entry.received(if stop { bytes.len() } else { came });
            self.entry.form(&bytes);
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// All of it; more than 64 MiB is refused, because manifests and forms are small.
    pub(super) async fn collect(&mut self) -> Result<Bytes, Broken> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > 64 << 20 {
                return Err(Broken);
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }

    /// Reads and forgets the rest, so that the client can finish sending and read the answer.
    pub(super) async fn drain(&mut self) {
        while let Ok(Some(_)) = self.next().await {}
    }

    /// Forgets the rest while the answer is sent: a connection that is closed over unread
    /// bytes is reset, and then it is a matter of luck whether the client sees the answer.
    pub(super) async fn forget(mut self) {
        while let Some(Ok(_)) = self.incoming.frame().await {}
    }
}

/// What is sent as the body of an answer.
#[derive(Debug)]
pub(super) struct BodyPlan {
    pub(super) content: Content,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Zero bytes behind the end.
    pub(super) extra: u64,
    pub(super) corrupt: Vec<u64>,
    pub(super) stops: BTreeMap<u64, Vec<Stop>>,
    pub(super) pace: Option<Pace>,
    pub(super) hang_up: bool,
}

impl BodyPlan {
    pub(super) fn length(&self) -> u64 {
        (self.end - self.start).saturating_add(self.extra)
    }

    /// Turns the plan into a body on `connection`, which speaks `version`, written down in `entry`.
    pub(super) fn into_body(
        self,
        connection: Arc<Connection>,
        version: Version,
        entry: Arc<Entry>,
    ) -> AnswerBody {
        let sender = Sender {
            plan: self,
            position: 0,
            connection,
            version,
            entry,
        };
        let frames = futures_util::stream::unfold(Some(sender), |sender| async move {
            let mut sender = sender?;
            match sender.next().await {
                Ok(Some(bytes)) => Some((Ok(Frame::data(bytes)), Some(sender))),
                Ok(None) => None,
                Err(cut) => Some((Err(cut), None)),
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

struct Sender {
    plan: BodyPlan,
    position: u64,
    connection: Arc<Connection>,
    version: Version,
    entry: Arc<Entry>,
}

impl Drop for Sender {
    fn drop(&mut self) {
        if self.plan.hang_up {
            self.connection.hang_up();
        }
    }
}

impl Sender {
    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        if let Some(pace) = self.plan.pace.filter(|_| self.position > 0) {
            tokio::time::sleep(pace.pause).await;
        }
        for stop in self.plan.stops.remove(&self.position).unwrap_or_default() {
            self.stop(stop).await?;
        }
        let border = self.plan.stops.keys().next().copied().unwrap_or(u64::MAX);
        let wanted = self.plan.length().min(border) - self.position;
        let piece = self
            .plan
            .pace
            .map_or(CHUNK, |pace| pace.bytes.clamp(1, CHUNK));
        let limit = usize::try_from(wanted).unwrap_or(usize::MAX).min(piece);
        if limit == 0 {
            return Ok(None);
        }
        let mut bytes = self.read(limit)?;
        for at in &self.plan.corrupt {
            let place = at
                .checked_sub(self.position)
                .and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = place.and_then(|at| bytes.get_mut(at)) {
                *byte = !*byte;
            }
        }
        self.position += bytes.len() as u64;
        self.entry.sent(bytes.len());
        Ok(Some(bytes.freeze()))
    }

    /// The real bytes first, then zeros. Reading blocks, but only on what the page cache holds.
    fn read(&self, limit: usize) -> Result<BytesMut, Cut> {
        let at = self.plan.start + self.position.min(self.plan.end - self.plan.start);
        let left = usize::try_from(self.plan.end - at).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(BytesMut::zeroed(limit));
        }
        let bytes = self
            .plan
            .content
            .read_at(at, limit.min(left))
            .map_err(|_| Cut(None))?;
        if bytes.is_empty() {
            return Err(Cut(None));
        }
        Ok(bytes.into())
    }

    async fn stop(&self, stop: Stop) -> Result<(), Cut> {
        match stop {
            Stop::Stall(Some(time)) => tokio::time::sleep(time).await,
            Stop::Stall(None) => std::future::pending().await,
            Stop::End(ending) => {
                self.connection.flush(self.version).await;
                return Err(self.connection.cut(self.version, ending).await);
            }
        }
        Ok(())
    }
}
