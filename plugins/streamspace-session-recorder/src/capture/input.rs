//! What a viewer does.

use streamspace_rfb::message::ClientMessage;

use super::{Capture, Input};
use crate::scene::{Moment, Scene, Side, Sink};

/// Where a pointer is, and what is pressed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) buttons: u16,
}

impl Pointer {
    /// With more than eight buttons, the first seven are in the one byte and the others in the next.
    pub(super) fn new(buttons: u8, more: Option<u8>, x: u16, y: u16) -> Self {
        let buttons = match more {
            Some(more) => u16::from(buttons & 0x7F) | u16::from(more) << 7,
            None => buttons.into(),
        };
        Self { x, y, buttons }
    }
}

impl<S: Sink> Capture<S> {
    /// Takes what a viewer says.
    pub(in crate::capture) fn viewer(
        &mut self,
        at: Moment,
        message: &ClientMessage<'_>,
    ) -> Result<(), S::Error> {
        match *message {
            ClientMessage::Key { down, symbol } | ClientMessage::ExtendedKey { down, symbol, .. } => {
                let keysym = match self.options().input {
                    Input::Off => return Ok(()),
                    Input::Metadata => None,
                    Input::Full => Some(symbol),
                };
                if self.is_paused() {
                    return Ok(());
                }
                let at = self.clamp(at);
                self.sink_mut().put(at, &Scene::Key { down, keysym })
            }
            ClientMessage::Pointer { buttons, more, x, y } => {
                self.points(at, Pointer::new(buttons, more, x, y))
            }
            ClientMessage::CutText(ref text) => self.cut_text(at, Side::Viewer, text),
            _ => Ok(()),
        }
    }

    /// A pointer that only moves is kept as often as the screen; one whose buttons change, at once.
    fn points(&mut self, at: Moment, pointer: Pointer) -> Result<(), S::Error> {
        if self.options().input == Input::Off {
            return Ok(());
        }
        let pressed = self.pointer.map_or(0, |before| before.buttons) != pointer.buttons;
        self.pointer = Some(pointer);
        self.pointer_changed = true;
        if !pressed || self.is_paused() {
            return self.tick(at).map(drop);
        }
        let at = self.clamp(at);
        let Pointer { x, y, buttons } = pointer;
        self.pointer_changed = false;
        self.sink_mut().put(at, &Scene::Pointer { x, y, buttons })
    }
}
