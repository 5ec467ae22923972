//! How messages are written.

use super::{ClientMessage, Secret, SecurityType, ServerMessage, Version, parts::put_area};
use crate::wire::Put;

impl ServerMessage<'_> {
    /// Appends it as it is sent.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Version(version) => out.bytes(version.text()),
            Self::SecurityTypes(types) => {
                let types = &types[..types.len().min(255)];
                out.u8(types.len() as u8);
                out.bytes(types);
            }
            Self::Security(SecurityType(chosen)) => out.u32(chosen.into()),
            Self::Refused { version, reason } => {
                // No security type, in a number as long as the version has it.
                out.padding(if version == Version::V3_3 { 4 } else { 1 });
                out.text(reason);
            }
            Self::Challenge(Secret(bytes)) => out.bytes(bytes),
            Self::SecurityResult { code, reason } => {
                out.u32(code);
                if let Some(reason) = reason {
                    out.text(reason);
                }
            }
            Self::Init(init) => init.write(out),
            Self::Update { rects } => {
                out.bytes(&[0, 0]);
                out.u16(rects);
            }
            Self::Rect(rect) => {
                put_area(rect.area, out);
                out.u32(rect.encoding.0.cast_unsigned());
                out.bytes(rect.payload);
            }
            Self::SetColours(colours) => {
                out.bytes(&[1, 0]);
                out.u16(colours.first);
                let count = u16::try_from(colours.entries.len()).unwrap_or(u16::MAX);
                out.u16(count);
                out.bytes(colours.entries[..count.into()].as_flattened());
            }
            Self::Bell => out.u8(2),
            Self::CutText(text) => {
                out.u8(3);
                text.write(out);
            }
            Self::EndOfContinuousUpdates => out.u8(150),
            Self::Fence(fence) => {
                out.u8(248);
                fence.write(out);
            }
            Self::Xvp { version, code } => out.bytes(&[250, 0, version, code]),
            Self::Audio { operation, data } => {
                out.bytes(&[255, 1]);
                out.u16(operation);
                if operation == 2 {
                    out.text(data);
                }
            }
        }
    }

    /// As it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

impl ClientMessage<'_> {
    /// Appends it as it is sent.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Version(version) => out.bytes(version.text()),
            Self::Security(SecurityType(chosen)) => out.u8(chosen),
            Self::Response(Secret(bytes)) => out.bytes(bytes),
            Self::Init { shared } => out.u8(shared.into()),
            Self::SetPixelFormat(format) => {
                out.bytes(&[0; 4]);
                format.write(out);
            }
            Self::SetEncodings(encodings) => {
                out.u8(2);
                encodings.write(out);
            }
            Self::UpdateRequest { incremental, area } => {
                out.bytes(&[3, incremental.into()]);
                put_area(area, out);
            }
            Self::Key { down, symbol } => {
                out.bytes(&[4, down.into(), 0, 0]);
                out.u32(symbol);
            }
            Self::Pointer { buttons, more, x, y } => {
                out.bytes(&[5, buttons | if more.is_some() { 0x80 } else { 0 }]);
                out.u16(x);
                out.u16(y);
                out.extend(more);
            }
            Self::CutText(text) => {
                out.u8(6);
                text.write(out);
            }
            Self::ContinuousUpdates { enable, area } => {
                out.bytes(&[150, enable.into()]);
                put_area(area, out);
            }
            Self::Fence(fence) => {
                out.u8(248);
                fence.write(out);
            }
            Self::SetDesktopSize { width, height, screens } => {
                out.bytes(&[251, 0]);
                out.u16(width);
                out.u16(height);
                screens.write(1, out);
            }
            Self::ExtendedKey { down, symbol, code } => {
                out.bytes(&[255, 0, 0, down.into()]);
                out.u32(symbol);
                out.u32(code);
            }
            Self::Audio { operation, data } => {
                out.bytes(&[255, 1]);
                out.u16(operation);
                out.bytes(data);
            }
            Self::Xvp { version, code } => out.bytes(&[250, 0, version, code]),
        }
    }

    /// As it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}
