//! What the plugin shows in the console.

use streamspace_plugin::{
    prelude::*,
    ui::{Chart, ChartKind, Form, FormField, Format, Position, Stack, Stat, SubmitMethod, Table, Width},
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
        .view(
            Stack::new()
                .child(figures())
                .child(Stack::new().title("Recordings").child(table("/recordings?page_size=200")))
                .child(Stack::new().title("Policies").child(policies()).child(new_policy()))
                .child(Stack::new().title("To agree to").child(approvals()))
                .child(Stack::new().title("Deleted").child(tombstones())),
        );
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

fn table(source: &str) -> Table {
    Table::new(source)
        .rows("/recordings")
        .column("Session", "/session_id")
        .column("User", "/user_id")
        .column_as("Duration", "/duration_seconds", Format::Duration)
        .column_as("Size", "/file_size_bytes", Format::Bytes)
        .column("Status", "/status")
        .column_as("Started", "/started_at", Format::Datetime)
        .column("Reason", "/reason")
        .column_as("Hold", "/legal_hold", Format::Boolean)
        .column_as("Kept until", "/expires_at", Format::Date)
        .page_size(25)
        .empty_text("Nothing was recorded yet.")
        .refresh_secs(30)
}

fn policies() -> Table {
    Table::new("/recording-policies")
        .rows("/policies")
        .column("Name", "/name")
        .column_as("By itself", "/auto_record", Format::Boolean)
        .column("Format", "/recording_format")
        .column_as("Days", "/retention_days", Format::Number)
        .column_as("Priority", "/priority", Format::Number)
        .column_as("Approval", "/require_approval", Format::Boolean)
        .column_as("Told", "/notify_on_recording", Format::Boolean)
        .column_as("Enabled", "/enabled", Format::Boolean)
        .empty_text("There are no policies: the configuration decides.")
}

fn new_policy() -> Form {
    Form::new("/recording-policies")
        .method(SubmitMethod::Post)
        .submit_label("Make policy")
        .success_text("The policy holds for recordings that begin from now on.")
        .field(FormField::text("name", "Name").required().max_length(255))
        .field(FormField::text("description", "Description").max_length(2000))
        .field(FormField::boolean("auto_record", "Record by itself").default_value(false))
        .field(
            FormField::select("recording_format", "Format")
                .option("webm", "WebM")
                .option("vnc", "FBS")
                .default_value("webm"),
        )
        .field(FormField::number("retention_days", "Days kept").min(0.0).max(36_500.0).default_value(30))
        .field(FormField::number("priority", "Priority").default_value(0))
        .field(FormField::boolean("require_reason", "A reason is needed").default_value(false))
        .field(FormField::boolean("require_approval", "An administrator agrees first").default_value(false))
        .field(FormField::boolean("require_consent", "The user agrees first").default_value(false))
        .field(FormField::boolean("notify_on_recording", "The user is told").default_value(true))
        .field(FormField::boolean("allow_user_playback", "The user may play it").default_value(true))
        .field(FormField::boolean("allow_user_download", "The user may download it").default_value(true))
}

fn approvals() -> Table {
    Table::new("/recording-approvals?status=pending")
        .rows("/approvals")
        .column("Session", "/session_id")
        .column("User", "/user_id")
        .column("Policy", "/policy_name")
        .column("Asked by", "/requested_by")
        .column("Reason", "/reason")
        .column_as("Since", "/created_at", Format::Datetime)
        .empty_text("Nobody waits.")
        .refresh_secs(30)
}

fn tombstones() -> Table {
    Table::new("/recordings/tombstones")
        .rows("/tombstones")
        .column("Recording", "/recording_id")
        .column("User", "/user_id")
        .column("Deleted by", "/deleted_by")
        .column("Why", "/why")
        .column_as("When", "/deleted_at", Format::Datetime)
        .empty_text("Nothing was deleted.")
}
