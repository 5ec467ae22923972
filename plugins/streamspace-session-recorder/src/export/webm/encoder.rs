//! AV1 by rav1e.

use std::collections::VecDeque;

use rav1e::{
    Config, Context, EncoderConfig, EncoderStatus,
    color::{
        ChromaSampling, ColorDescription, ColorPrimaries, MatrixCoefficients, PixelRange, TransferCharacteristics,
    },
    data::{FrameParameters, FrameType, Rational},
    prelude::{FrameTypeOverride, SceneDetectionSpeed, SpeedSettings, Tune},
};

use super::{Error, Options, color::Planes};

/// A temporal delimiter: WebM's blocks say the same.
const DELIMITER: &[u8] = &[0x12, 0x00];

/// An encoded frame.
pub(super) struct Packet {
    pub(super) at_ms: u64,
    pub(super) key: bool,
    data: Vec<u8>,
}

impl Packet {
    pub(super) fn data(&self) -> &[u8] {
        self.data.strip_prefix(DELIMITER).unwrap_or(&self.data)
    }
}

/// Frames go in, and come out in their order a little later.
pub(super) struct Encoder {
    context: Context<u8>,
    /// When the frames are shown that are inside.
    times: VecDeque<u64>,
}

impl Encoder {
    pub(super) fn new(width: usize, height: usize, options: &Options) -> Result<Self, Error> {
        let mut speed_settings = SpeedSettings::from_preset(10);
        // It is said from outside which frames are to be key frames.
        speed_settings.scene_detection_mode = SceneDetectionSpeed::None;
        speed_settings.rdo_lookahead_frames = 1;
        // It smooths what a camera saw, and costs a fifth of a key frame.
        speed_settings.cdef = false;
        let config = EncoderConfig {
            width,
            height,
            // Only the rate control would know it, which is off: each frame has a time of its own.
            time_base: Rational::new(1, options.fps.into()),
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
            quantizer: options.quantizer(),
            // Text is to be sharp: what looks well in films is of no use.
            tune: Tune::Psnr,
            tiles: options.threads.into(),
            speed_settings,
            ..EncoderConfig::default()
        };
        let context = Config::new()
            .with_encoder_config(config)
            .with_threads(options.threads.into())
            .new_context()
            .map_err(|error| Error::Encoder(error.to_string()))?;
        Ok(Self { context, times: VecDeque::new() })
    }

    /// What a decoder has to know before the first frame.
    pub(super) fn head(&self) -> Vec<u8> {
        self.context.container_sequence_header()
    }

    /// Takes a frame.
    pub(super) fn put(&mut self, planes: &Planes, at_ms: u64, key: bool) -> Result<(), Error> {
        let mut frame = self.context.new_frame();
        let width = planes.width;
        for (plane, (from, stride)) in
            frame.planes.iter_mut().zip([(&planes.luma, width), (&planes.blue, width / 2), (&planes.red, width / 2)])
        {
            plane.copy_from_raw_u8(from, stride, 1);
        }
        let frame_type_override = if key { FrameTypeOverride::Key } else { FrameTypeOverride::No };
        let parameters = FrameParameters { frame_type_override, ..FrameParameters::default() };
        self.times.push_back(at_ms);
        self.context.send_frame((frame, parameters)).map_err(failed)
    }

    /// No more frames are put.
    pub(super) fn finish(&mut self) {
        self.context.flush();
    }

    /// A frame that is encoded; none if more has to be put first, or if all were taken.
    pub(super) fn take(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            match self.context.receive_packet() {
                Ok(packet) => {
                    let at_ms = self.times.pop_front();
                    let at_ms = at_ms.ok_or_else(|| Error::Encoder("a frame that was not put".into()))?;
                    let key = packet.frame_type == FrameType::KEY;
                    return Ok(Some(Packet { at_ms, key, data: packet.data }));
                }
                Err(EncoderStatus::Encoded) => {}
                Err(EncoderStatus::NeedMoreData | EncoderStatus::LimitReached) => return Ok(None),
                Err(status) => return Err(failed(status)),
            }
        }
    }
}

fn failed(status: EncoderStatus) -> Error {
    Error::Encoder(status.to_string())
}
