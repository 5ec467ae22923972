//! The one thing that both ends of a socket wait for.

use streamspace_plugin::websocket::ClosedKind;
use tokio::sync::watch;

use super::Closed;

/// Whether a socket is closed, and why: what is said first holds. And whether its handler has returned.
#[derive(Debug)]
pub(crate) struct End {
    closed: watch::Sender<Option<Closed>>,
    returned: watch::Sender<bool>,
}

impl Default for End {
    fn default() -> Self {
        Self { closed: watch::Sender::new(None), returned: watch::Sender::new(false) }
    }
}

impl End {
    /// Closes it. Answers whether it was open.
    pub(crate) fn set(&self, closed: Closed) -> bool {
        self.closed.send_if_modified(|end| {
            let was_open = end.is_none();
            if was_open {
                *end = Some(closed);
            }
            was_open
        })
    }

    pub(crate) fn get(&self) -> Option<Closed> {
        self.closed.borrow().clone()
    }

    pub(crate) fn kind(&self) -> ClosedKind {
        self.closed.borrow().as_ref().map_or(ClosedKind::NOT, |closed| closed.kind)
    }

    /// Waits until it is closed.
    pub(crate) async fn wait(&self) -> Closed {
        let mut receiver = self.closed.subscribe();
        match receiver.wait_for(Option::is_some).await.map(|closed| closed.clone()) {
            Ok(Some(closed)) => closed,
            // The sender is borrowed here, so that it is there.
            _ => Closed::by_host(ClosedKind::GONE),
        }
    }

    /// The handler has returned.
    pub(super) fn returned(&self) {
        self.returned.send_replace(true);
    }

    /// Waits until the handler has returned.
    pub(super) async fn wait_returned(&self) {
        // It fails only without the sender, which is borrowed here.
        let _ = self.returned.subscribe().wait_for(|returned| *returned).await;
    }
}
