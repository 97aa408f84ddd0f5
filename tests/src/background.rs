//! Servers in the background: a runtime that works beside any other and ends when it is dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio::runtime::Runtime;

#[derive(Debug)]
pub(crate) struct Background(Option<Runtime>);

impl Background {
    pub(crate) fn start(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(name)
            .enable_all()
            .build();
        Self(Some(runtime.expect("the machine starts threads")))
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(task);
        }
    }
}

impl Drop for Background {
    /// Ends in a thread of its own, because a runtime must not be waited for from inside another.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            let ending =
                std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
            // A panic in there would only mean that the threads are gone already.
            let _ = ending.join();
        }
    }
}

/// Binds a free port of the loopback interface.
pub(crate) fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener
        .set_nonblocking(true)
        .expect("a socket can be non-blocking");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    (listener, address)
}
