//! The owner's side: a thread that serves the folder's socket until it is dropped.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::listener::LocalListener;
use super::wire::CONNECTIONS_MAX;
use super::{Holder, routes, socket};
use crate::engine::Face;
use crate::error::{Error, Result};

/// Time for answers under way when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Statements run here, and deeply nested ones need room: as much as on a main thread.
const STACK_BYTES: usize = 8 << 20;

/// One a connection, and as many for calls whose client went away.
const BLOCKING_THREADS_MAX: usize = 2 * CONNECTIONS_MAX;

/// What all requests share.
pub struct Owner {
    pub face: Arc<dyn Face>,
    pub holder: Holder,
    pub stopping: AtomicBool,
}

/// Serves a folder until it is dropped. Dropping it removes the socket, tells readers of rows that it stops, and lets
/// answers under way go out, at most two seconds long; a call that takes longer holds the face until it is done.
pub struct LocalServer {
    owner: Arc<Owner>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    place: Option<socket::Place>,
}

/// Listens on the folder's socket; who attaches is told of its `holder`. The caller holds the folder's lock: a socket that is there is one of a process that was
/// killed, and goes.
///
/// # Errors
/// The socket can't be made: rights, a file of that name that is none, no place with a short enough path.
pub fn serve(face: Arc<dyn Face>, holder: Holder, folder: &Path) -> Result<LocalServer> {
    let folder = folder
        .canonicalize()
        .map_err(|cause| Error::world(format!("cannot open the data folder {}: {cause}", folder.display())))?;
    let place = socket::prepare(&folder)?;
    let cannot = |what: &str, cause: std::io::Error| {
        Error::world(format!("cannot {what} the local socket {}: {cause}", place.socket.display()))
    };
    let runtime = runtime().map_err(|cause| cannot("serve", cause))?;
    let listener = {
        let _in_runtime = runtime.enter();
        UnixListener::bind(&place.socket).map_err(|cause| cannot("listen on", cause))?
    };
    socket::restrict(&place.socket)?;

    let owner = Arc::new(Owner { face, holder, stopping: AtomicBool::new(false) });
    let router = routes::router(Arc::clone(&owner));
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("local-server".into())
        .spawn(move || run(runtime, listener, router, stopped))
        .map_err(|cause| cannot("serve", cause))?;
    Ok(LocalServer { owner, stop: Some(stop), thread: Some(thread), place: Some(place) })
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(STACK_BYTES)
        .thread_name("local-server")
        .enable_all()
        .build()
}

fn run(runtime: Runtime, listener: UnixListener, router: axum::Router, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        let (stop, stopping) = oneshot::channel::<()>();
        let serving = axum::serve(LocalListener::new(listener), router).with_graceful_shutdown(async {
            // An error means that the sender is gone: stop as well.
            let _ = stopping.await;
        });
        let mut serving = tokio::spawn(serving.into_future());
        // Neither error matters: the sender is gone, or the server has ended by itself.
        let _ = stopped.await;
        let _ = stop.send(());
        let _ = tokio::time::timeout(STOP_GRACE, &mut serving).await;
    });
    // What still blocks is left behind: it ends with its call.
    runtime.shutdown_background();
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        // First the socket: who comes now finds nobody instead of a server that stops.
        self.place.take();
        self.owner.stopping.store(true, Ordering::Relaxed);
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
