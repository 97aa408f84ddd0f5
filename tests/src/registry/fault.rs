//! Faults as data: what goes wrong with an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The connection is closed (FIN).
    Close,
    /// The connection is reset (RST).
    Reset,
    /// HTTP/2: the stream alone is reset with this error code; on HTTP/1.1 the connection is closed.
    Stream(u32),
    /// HTTP/2: GOAWAY with this error code, which disowns every stream, and the connection is closed;
    /// on HTTP/1.1 it is closed without a word.
    GoAway(u32),
}

/// What goes wrong; faults are joined with [`Fault::and`].
///
/// Positions count bytes of the answer's body (for a range: of the part that is sent), from 0.
///
/// ```
/// use regimg_tests::registry::Fault;
/// use std::time::Duration;
///
/// let busy = Fault::status(429).header("Retry-After", "1");
/// let slow_and_cut = Fault::delay(Duration::from_millis(5)).and(Fault::cut_at(100));
/// # let _ = (busy, slow_and_cut);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fault {
    pub(super) delay: Duration,
    pub(super) ending: Option<Ending>,
    pub(super) instead: Option<Instead>,
    pub(super) request: RequestFault,
    pub(super) as_status: Option<StatusCode>,
    pub(super) body: Option<Bytes>,
    pub(super) headers: Vec<HeaderChange>,
    pub(super) ignore_range: bool,
    pub(super) gzip: bool,
    pub(super) corrupt: Vec<u64>,
    pub(super) truncate: Option<u64>,
    pub(super) extend: u64,
    pub(super) stops: BTreeMap<u64, Vec<Stop>>,
    pub(super) pace: Option<Pace>,
    pub(super) leaving: Leaving,
}

/// What is answered in place of the regular answer.
#[derive(Clone, Debug)]
pub(super) enum Instead {
    Status(StatusCode),
    Redirect(Redirect),
}

/// Where a redirect points.
#[derive(Clone, Debug)]
pub(super) enum Redirect {
    Elsewhere { uses: Option<u32> },
    Itself,
    Url(String),
}

/// What happens to the body of the request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum RequestFault {
    #[default]
    None,
    /// Nothing behind the position is read; the ending follows, or the answer of [`Instead`].
    Stop(u64, Option<Ending>),
    /// What is behind the position is read and lost.
    Lose(u64),
}

/// What happens when a body has come to a position.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    End(Ending),
    Stall(Option<Duration>),
}

/// A body in pieces of at most `bytes`, each followed by `pause`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) bytes: usize,
    pub(super) pause: Duration,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Leaving {
    #[default]
    Stay,
    GoAway,
    HangUp,
}

#[derive(Clone, Debug)]
pub(super) enum HeaderChange {
    Set(HeaderName, HeaderValue),
    Add(HeaderName, HeaderValue),
    Remove(HeaderName),
}

/// In place of the regular answer.
impl Fault {
    /// The regular answer, to be changed by [`Fault::header`] and the like.
    pub fn answer() -> Self {
        Self::default()
    }

    /// Answers with this status and an OCI error envelope instead of doing what was asked.
    ///
    /// # Panics
    /// When `status` is not between 100 and 999.
    pub fn status(status: u16) -> Self {
        Self {
            instead: Some(Instead::Status(status_code(status))),
            ..Self::default()
        }
    }

    /// Ends the connection without an answer.
    pub fn end(ending: Ending) -> Self {
        Self {
            ending: Some(ending),
            ..Self::default()
        }
    }

    /// Resets the connection without an answer.
    pub fn reset() -> Self {
        Self::end(Ending::Reset)
    }

    /// Closes the connection without an answer.
    pub fn close() -> Self {
        Self::end(Ending::Close)
    }

    /// Redirects (307) to the second address, which answers in place of the registry.
    pub fn redirect_elsewhere() -> Self {
        Self::redirect(Redirect::Elsewhere { uses: None })
    }

    /// Redirects (307) to the second address by a signed URL that is good for `uses` requests and 403 then.
    pub fn redirect_elsewhere_for(uses: u32) -> Self {
        Self::redirect(Redirect::Elsewhere { uses: Some(uses) })
    }

    /// Redirects (307) to `url`.
    pub fn redirect_to(url: &str) -> Self {
        Self::redirect(Redirect::Url(url.to_owned()))
    }

    /// Redirects (307) to the very same URL.
    pub fn redirect_to_itself() -> Self {
        Self::redirect(Redirect::Itself)
    }

    fn redirect(redirect: Redirect) -> Self {
        Self {
            instead: Some(Instead::Redirect(redirect)),
            ..Self::default()
        }
    }
}

/// Time and connection.
impl Fault {
    /// Waits before anything else.
    pub fn delay(time: Duration) -> Self {
        Self {
            delay: time,
            ..Self::default()
        }
    }

    /// Sends the body slowly: at most `bytes` at a time, and a pause of `pause` after each piece.
    pub fn pace(bytes: usize, pause: Duration) -> Self {
        Self {
            pace: Some(Pace { bytes, pause }),
            ..Self::default()
        }
    }

    /// Gives the regular answer and asks for a graceful end: GOAWAY on HTTP/2, `Connection: close` on HTTP/1.1.
    pub fn go_away() -> Self {
        Self {
            leaving: Leaving::GoAway,
            ..Self::default()
        }
    }

    /// Gives the regular answer and then closes the connection without having said so, as servers do with
    /// connections that were idle for long.
    pub fn hang_up() -> Self {
        Self {
            leaving: Leaving::HangUp,
            ..Self::default()
        }
    }
}

/// The body of the answer.
impl Fault {
    /// Closes the connection after `position` bytes of the body; the declared length stays.
    pub fn cut_at(position: u64) -> Self {
        Self::end_at(position, Ending::Close)
    }

    /// Resets the connection after `position` bytes of the body; the declared length stays.
    pub fn reset_at(position: u64) -> Self {
        Self::end_at(position, Ending::Reset)
    }

    /// Ends the connection or stream after `position` bytes of the body.
    pub fn end_at(position: u64, ending: Ending) -> Self {
        Self::stop_at(position, Stop::End(ending))
    }

    /// Sends nothing more after `position` bytes, until the client gives up.
    pub fn stall_at(position: u64) -> Self {
        Self::stop_at(position, Stop::Stall(None))
    }

    /// Pauses for `time` after `position` bytes.
    pub fn pause_at(position: u64, time: Duration) -> Self {
        Self::stop_at(position, Stop::Stall(Some(time)))
    }

    fn stop_at(position: u64, stop: Stop) -> Self {
        Self {
            stops: BTreeMap::from([(position, vec![stop])]),
            ..Self::default()
        }
    }

    /// Inverts the byte at `position`.
    pub fn corrupt_at(position: u64) -> Self {
        Self {
            corrupt: vec![position],
            ..Self::default()
        }
    }

    /// Ends the body cleanly after `length` bytes: the declared length says the same.
    pub fn truncate(length: u64) -> Self {
        Self {
            truncate: Some(length),
            ..Self::default()
        }
    }

    /// Sends `count` zero bytes more than there are; the declared length says the same.
    pub fn extend(count: u64) -> Self {
        Self {
            extend: count,
            ..Self::default()
        }
    }

    /// Sends zero bytes without end, and no length.
    pub fn endless() -> Self {
        Self::extend(u64::MAX).without_header("content-length")
    }

    /// Answers 200 with the whole body to a request for a range.
    pub fn ignore_range() -> Self {
        Self {
            ignore_range: true,
            ..Self::default()
        }
    }

    /// Compresses the body by gzip and says so in `Content-Encoding`.
    pub fn gzip() -> Self {
        Self {
            gzip: true,
            ..Self::default()
        }
    }
}

/// The body of the request.
impl Fault {
    /// Ends the connection when `position` bytes of the request's body have arrived; an upload keeps those.
    pub fn end_request_at(position: u64, ending: Ending) -> Self {
        Self {
            request: RequestFault::Stop(position, Some(ending)),
            ..Self::default()
        }
    }

    /// Reads only `position` bytes of the request's body before the answer of [`Fault::status`].
    pub fn answer_early(position: u64) -> Self {
        Self {
            request: RequestFault::Stop(position, None),
            ..Self::default()
        }
    }

    /// Reads the whole body of the request but keeps only `count` bytes, so that an upload's answer names less
    /// than was sent.
    pub fn keep_only(count: u64) -> Self {
        Self {
            request: RequestFault::Lose(count),
            ..Self::default()
        }
    }
}

/// Changes to any answer, and joining.
impl Fault {
    /// Sets a header of the answer.
    ///
    /// # Panics
    /// When name or value are not fit for a header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(HeaderChange::Set(header_name(name), header_value(value)))
    }

    /// Adds another line of a header to the answer.
    ///
    /// # Panics
    /// When name or value are not fit for a header.
    #[must_use]
    pub fn add_header(self, name: &str, value: &str) -> Self {
        self.change(HeaderChange::Add(header_name(name), header_value(value)))
    }

    /// Leaves a header out; without `content-length` a body is sent in chunks.
    ///
    /// # Panics
    /// When `name` is no header name.
    #[must_use]
    pub fn without_header(self, name: &str) -> Self {
        self.change(HeaderChange::Remove(header_name(name)))
    }

    fn change(mut self, change: HeaderChange) -> Self {
        self.headers.push(change);
        self
    }

    /// Replaces the body of the answer.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Gives the regular answer another status.
    ///
    /// # Panics
    /// When `status` is not between 100 and 999.
    #[must_use]
    pub fn as_status(mut self, status: u16) -> Self {
        self.as_status = Some(status_code(status));
        self
    }

    /// Lets `other` go wrong as well; where both say the same thing differently, `other` wins, and delays add up.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.headers.extend(other.headers);
        self.corrupt.extend(other.corrupt);
        for (position, stops) in other.stops {
            self.stops.entry(position).or_default().extend(stops);
        }
        Self {
            delay: self.delay + other.delay,
            ending: other.ending.or(self.ending),
            instead: other.instead.or(self.instead),
            request: match other.request {
                RequestFault::None => self.request,
                request => request,
            },
            as_status: other.as_status.or(self.as_status),
            body: other.body.or(self.body),
            ignore_range: self.ignore_range || other.ignore_range,
            gzip: self.gzip || other.gzip,
            truncate: other.truncate.or(self.truncate),
            extend: self.extend.saturating_add(other.extend),
            pace: other.pace.or(self.pace),
            leaving: match other.leaving {
                Leaving::Stay => self.leaving,
                leaving => leaving,
            },
            ..self
        }
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("the test names a status")
}

pub(super) fn header_name(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).expect("the test names a header")
}

fn header_value(value: &str) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).expect("the test gives a header value")
}
