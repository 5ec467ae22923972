//! The one thing that both ends of a socket wait for.

use streamspace_plugin::websocket::ClosedKind;
use tokio::sync::watch;

use super::Closed;

/// Whether a socket is closed, and why. What is said first holds.
#[derive(Debug)]
pub(crate) struct End(watch::Sender<Option<Closed>>);

impl Default for End {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl End {
    /// Closes it. Answers whether it was open.
    pub(crate) fn set(&self, closed: Closed) -> bool {
        self.0.send_if_modified(|end| {
            let was_open = end.is_none();
            if was_open {
                *end = Some(closed);
            }
            was_open
        })
    }

    pub(crate) fn get(&self) -> Option<Closed> {
        self.0.borrow().clone()
    }

    pub(crate) fn kind(&self) -> ClosedKind {
        self.0.borrow().as_ref().map_or(ClosedKind::NOT, |closed| closed.kind)
    }

    /// Waits until it is closed.
    pub(crate) async fn wait(&self) -> Closed {
        let mut receiver = self.0.subscribe();
        match receiver.wait_for(Option::is_some).await.map(|closed| closed.clone()) {
            Ok(Some(closed)) => closed,
            // The sender is borrowed here, so that it is there.
            _ => Closed::by_host(ClosedKind::GONE),
        }
    }
}
