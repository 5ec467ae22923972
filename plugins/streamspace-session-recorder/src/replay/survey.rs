//! Looking a recording through.

use std::time::Duration;

use streamspace_rfb::Limits;

use super::{
    player::PlayError,
    span::{Span, Spans},
    stage::{Marks, Stage},
};
use crate::scene::{Moment, Scene, Source};

/// What there is in a recording.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// How long it is.
    pub length: Moment,
    /// Markers, gaps and pauses.
    pub marks: Marks,
    /// Stretches in which nothing changes that is seen.
    pub idle: Spans,
    /// Pictures from which it can be played.
    pub pictures: u64,
    /// The largest width and height.
    pub size: (u16, u16),
}

/// Reads all of a recording. A stretch is idle if nothing changes for longer than `idle`.
///
/// It takes as long as reading and comparing all pictures takes: something for the background.
///
/// # Errors
///
/// [`PlayError`] if the recording cannot be played to its end.
pub fn survey<S: Source>(
    source: &mut S,
    idle: Duration,
    limits: Limits,
) -> Result<Survey, PlayError<S::Error>> {
    let wrong = |at, why: &dyn std::fmt::Display| PlayError::Scene { at, why: why.to_string() };
    let mut stage = Stage::new(limits, Marks::default()).map_err(|why| wrong(Moment(0), &why))?;
    let mut survey = Survey { length: source.length(), ..Survey::default() };
    let (mut changed, mut at) = (Moment(0), Moment(0));
    let quiet = |survey: &mut Survey, from: Moment, to: Moment| {
        let span = Span { from, to };
        if u128::from(span.micros()) > idle.as_micros() {
            survey.idle.add(span);
        }
    };
    source.seek(Moment(0)).map_err(|source| PlayError::Source { at, source })?;
    loop {
        let next = source.next().map_err(|source| PlayError::Source { at, source })?;
        let Some((now, scene)) = next else { break };
        at = now;
        if stage.is_changed_by(&scene) {
            quiet(&mut survey, changed, at);
            changed = at;
        }
        stage.show(at, &scene).map_err(|why| wrong(at, &why))?;
        stage.screen.damage_mut().clear();
        if let Scene::Picture { width, height, .. } = scene {
            survey.pictures += 1;
            survey.size = (survey.size.0.max(width), survey.size.1.max(height));
        }
    }
    survey.length = survey.length.max(at);
    let length = survey.length;
    quiet(&mut survey, changed, length);
    survey.marks = stage.marks;
    Ok(survey)
}
