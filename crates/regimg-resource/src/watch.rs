//! Signals that end the program.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::Signal;
use crate::run::SHUTDOWN_LIMIT;

/// Time for a command to end by itself after a signal: what blocking work may take, and
/// the last line.
const GRACE: Duration = Duration::from_secs(SHUTDOWN_LIMIT.as_secs() + 2);

/// Waits for SIGTERM and SIGINT on a thread of its own: neither a log nor an answer that
/// nobody reads may keep the program from ending.
#[derive(Debug)]
pub(crate) struct Watch {
    signalled: oneshot::Receiver<Signal>,
    /// Ends the thread when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Watch {
    /// Installs the handlers. From now on signals do not end the process at once.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut terminate, mut interrupt) = {
            let _entered = runtime.enter();
            (
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
            )
        };
        let (tell, signalled) = oneshot::channel();
        let (end, mut ended) = oneshot::channel::<()>();
        let watch = async move {
            let signal = tokio::select! {
                _ = terminate.recv() => Signal::Terminate,
                _ = interrupt.recv() => Signal::Interrupt,
                _ = &mut ended => return,
            };
            if tell.send(signal).is_ok() {
                tokio::select! {
                    () = tokio::time::sleep(GRACE) => {}
                    _ = &mut ended => return,
                }
            }
            // Either the command is over, and only its words are not, or it hangs.
            process::exit(signal.exit_code().into());
        };
        thread::spawn(move || runtime.block_on(watch));
        Ok(Self {
            signalled,
            _end: end,
        })
    }

    /// Lets a signal end the process at once from now on: nothing is left to remove.
    pub(crate) fn command_is_over(&mut self) {
        self.signalled.close();
    }

    /// Waits for a signal.
    pub(crate) async fn signal(&mut self) -> Signal {
        match (&mut self.signalled).await {
            Ok(signal) => signal,
            // The thread tells before it ends, unless it was told to end.
            Err(_) => std::future::pending().await,
        }
    }
}
