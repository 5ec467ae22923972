//! From where on a pixel format holds. [`super::tee`] says why.

use streamspace_rfb::{
    PixelFormat,
    message::{ClientMessage, ServerMessage, ServerParser},
};

use super::TeeEnd;

/// What decides from where on a pixel format holds.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// What the viewer asked for last, or the desktop's own.
    format: Option<PixelFormat>,
    /// Whether an update was asked for that has not begun.
    asked: bool,
    /// Whether updates come by themselves, as the viewer wants it.
    continuous: bool,
    /// How often the viewer has switched them off, and the desktop has not said so.
    stopping: u32,
    /// Holds when it has.
    later: Option<PixelFormat>,
}

impl Talk {
    /// The desktop says something.
    pub(super) fn desktop(&mut self, parser: &mut ServerParser, message: &ServerMessage<'_>) {
        match message {
            ServerMessage::Init(init) => self.format = Some(init.format),
            ServerMessage::Update { .. } => self.asked = false,
            // The first one, before anything was switched off, says that the desktop has them.
            ServerMessage::EndOfContinuousUpdates if self.stopping > 0 => {
                self.stopping -= 1;
                if self.stopping == 0 {
                    let later = self.later.take();
                    later.iter().for_each(|format| parser.heard(&ClientMessage::SetPixelFormat(*format)));
                }
            }
            _ => {}
        }
    }

    /// The viewer says something. Tells the desktop's parser, at once or when it holds.
    pub(super) fn viewer(
        &mut self,
        parser: &mut ServerParser,
        message: &ClientMessage<'_>,
    ) -> Result<(), TeeEnd> {
        match message {
            ClientMessage::UpdateRequest { .. } => self.asked = true,
            ClientMessage::ContinuousUpdates { enable, .. } => {
                if self.continuous && !enable {
                    self.stopping = self.stopping.saturating_add(1);
                }
                self.continuous = *enable;
            }
            ClientMessage::SetPixelFormat(format) => {
                let same = self.format == Some(*format);
                self.format = Some(*format);
                if same {
                    return Ok(());
                }
                if self.stopping > 0 && !self.continuous {
                    self.later = Some(*format);
                    return Ok(());
                }
                if self.asked || self.continuous || self.stopping > 0 {
                    return Err(TeeEnd::Format);
                }
            }
            _ => {}
        }
        parser.heard(message);
        Ok(())
    }
}
