//! What the plugin shows in the console.

use streamspace_plugin::{
    prelude::*,
    ui::{Chart, ChartKind, Format, Position, Stack, Stat, Width},
};

use crate::{
    SessionRecorder,
    routes::{ADMIN, READ},
};

pub(crate) fn register(on: &mut Registrar<SessionRecorder>) {
    on.admin_page("recordings", "Session Recordings")
        .path("recordings")
        .icon("videocam")
        .menu_label("Recordings")
        .permission(ADMIN)
        // What is done with a row is more than a view can show.
        .component("recording-administration", "recordings.js");
    on.page("my-recordings", "My Recordings")
        .path("recordings")
        .icon("video_library")
        .menu_label("My Recordings")
        // Sessions to watch and to record, recordings to play: more than a view can show.
        .component("session-recordings", "recordings.js");
    on.admin_widget("recording-figures", "Recordings")
        .icon("videocam")
        .position(Position::Top)
        .width(Width::Half)
        .permission(READ)
        .view(figures());
    on.admin_widget("recording-months", "Recordings by month")
        .icon("bar_chart")
        .width(Width::Half)
        .permission(READ)
        .view(
            Chart::new(ChartKind::Bar, "/recordings/stats", "/month")
                .rows("/by_month")
                .x_axis("Month", Format::Text)
                .series("Recordings", "/recordings")
                .refresh_secs(300),
        );
    on.settings_page("Session recorder").icon("settings");
}

fn figures() -> Stack {
    let stat = |pointer, label| Stat::new("/recordings/stats", pointer).label(label).refresh_secs(30);
    Stack::row()
        .child(stat("/active_recordings", "Being recorded").format(Format::Number))
        .child(stat("/total_recordings", "Recordings").format(Format::Number))
        .child(stat("/total_duration", "Recorded").format(Format::Duration))
        .child(stat("/storage_used", "Space").format(Format::Bytes))
        .child(stat("/held_recordings", "Under hold").format(Format::Number))
}
