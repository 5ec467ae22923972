//! AV1 by `rav1e`.

use std::collections::VecDeque;

use rav1e::{
    Config, Context, EncoderConfig, EncoderStatus,
    color::{
        ChromaSampling, ColorDescription, ColorPrimaries, MatrixCoefficients, PixelRange,
        TransferCharacteristics,
    },
    data::{FrameParameters, FrameType, Rational},
    prelude::{FrameTypeOverride, SceneDetectionSpeed, SpeedSettings, Tune},
};

use crate::Planes;

/// A temporal delimiter: WebM's blocks say the same.
const DELIMITER: &[u8] = &[0x12, 0x00];

/// How frames are encoded.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The most frames a second, for what is said of it. At least 1.
    pub fps: u8,
    /// AV1's measure of what is left out: 0 leaves out nothing, 255 most.
    pub quantizer: u8,
    /// Threads, at least 1. A picture is cut into as many tiles.
    pub threads: u8,
}

/// What the encoder does not take, in its words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// An encoded frame.
#[derive(Debug, Clone)]
pub struct Packet {
    /// When it is shown, in milliseconds.
    pub at_ms: u64,
    /// Whether a viewer can begin here.
    pub key: bool,
    data: Vec<u8>,
    /// What all frames have in common, in four bytes.
    common: Vec<u8>,
}

impl Packet {
    /// Its bytes, as a block of WebM has them.
    pub fn data(&self) -> &[u8] {
        self.data.strip_prefix(DELIMITER).unwrap_or(&self.data)
    }

    /// What a decoder has to know before this frame, if it is a key frame, as files have it (`av1C`): four bytes, and the
    /// stream's head, with which a key frame begins.
    pub fn head(&self) -> Vec<u8> {
        let (mut head, data) = (self.common.clone(), self.data());
        // Type 1, and with its size, which has one byte: there are not 128 things to say.
        if let [0x0A, size @ 0..0x80, ..] = data {
            head.extend(&data[..(2 + usize::from(*size)).min(data.len())]);
        }
        head
    }
}

/// Frames go in, and come out in their order a little later.
#[derive(Debug)]
pub struct Encoder {
    context: Context<u8>,
    /// When the frames are shown that are inside.
    times: VecDeque<u64>,
}

impl Encoder {
    /// For frames of one size, of which both sides are at least 16.
    ///
    /// # Errors
    ///
    /// If they are not.
    pub fn new(width: u16, height: u16, settings: &Settings) -> Result<Self, Error> {
        let mut speed_settings = SpeedSettings::from_preset(10);
        // It is said from outside which frames are to be key frames.
        speed_settings.scene_detection_mode = SceneDetectionSpeed::None;
        speed_settings.rdo_lookahead_frames = 1;
        // It smooths what a camera saw, and costs a fifth of a key frame.
        speed_settings.cdef = false;
        let config = EncoderConfig {
            width: width.into(),
            height: height.into(),
            // Only the rate control would know it, which is off: each frame has a time of its own.
            time_base: Rational::new(1, settings.fps.into()),
            chroma_sampling: ChromaSampling::Cs420,
            pixel_range: PixelRange::Limited,
            color_description: Some(ColorDescription {
                color_primaries: ColorPrimaries::BT709,
                transfer_characteristics: TransferCharacteristics::BT709,
                matrix_coefficients: MatrixCoefficients::BT709,
            }),
            // No frame is shown in another order than it is encoded in.
            low_latency: true,
            min_key_frame_interval: 0,
            max_key_frame_interval: 1 << 20,
            quantizer: settings.quantizer.into(),
            // Text is to be sharp: what looks well in films is of no use.
            tune: Tune::Psnr,
            tiles: settings.threads.into(),
            speed_settings,
            ..EncoderConfig::default()
        };
        let context = Config::new()
            .with_encoder_config(config)
            .with_threads(settings.threads.into())
            .new_context()
            .map_err(|error| Error(error.to_string()))?;
        Ok(Self { context, times: VecDeque::new() })
    }

    /// Takes a frame: when it is shown, in milliseconds, and whether a viewer is to be able to begin here.
    ///
    /// # Errors
    ///
    /// After the end, and after two thousand million frames.
    pub fn put(&mut self, planes: &Planes, at_ms: u64, key: bool) -> Result<(), Error> {
        let mut frame = self.context.new_frame();
        let width = planes.width;
        for (plane, (from, stride)) in frame.planes.iter_mut().zip([
            (&planes.luma, width),
            (&planes.blue, width / 2),
            (&planes.red, width / 2),
        ]) {
            plane.copy_from_raw_u8(from, stride, 1);
        }
        let frame_type_override = if key { FrameTypeOverride::Key } else { FrameTypeOverride::No };
        let parameters = FrameParameters { frame_type_override, ..FrameParameters::default() };
        self.times.push_back(at_ms);
        self.context.send_frame((frame, parameters)).map_err(failed)
    }

    /// No more frames are put.
    pub fn finish(&mut self) {
        self.context.flush();
    }

    /// A frame that is encoded; none if more has to be put first, or if all were taken. This is what takes long.
    ///
    /// # Errors
    ///
    /// If the encoder fails.
    pub fn take(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            match self.context.receive_packet() {
                Ok(packet) => {
                    let at_ms = self.times.pop_front();
                    let at_ms = at_ms.ok_or_else(|| Error("a frame that was not put".into()))?;
                    let key = packet.frame_type == FrameType::KEY;
                    let common = self.context.container_sequence_header();
                    return Ok(Some(Packet { at_ms, key, data: packet.data, common }));
                }
                Err(EncoderStatus::Encoded) => {}
                Err(EncoderStatus::NeedMoreData | EncoderStatus::LimitReached) => return Ok(None),
                Err(status) => return Err(failed(status)),
            }
        }
    }
}

fn failed(status: EncoderStatus) -> Error {
    Error(status.to_string())
}
