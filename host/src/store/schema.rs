//! The host's own tables, as `migrations/` makes them.

diesel::table! {
    plugins (name) {
        name -> Text,
        version -> Text,
        content -> Text,
        library -> Text,
        enabled -> Bool,
        quarantine -> Nullable<Text>,
        config -> Binary,
        installed_us -> BigInt,
    }
}

diesel::table! {
    grants (plugin, permission) {
        plugin -> Text,
        permission -> Text,
        granted_us -> BigInt,
    }
}

diesel::table! {
    events (seq) {
        seq -> BigInt,
        id -> Binary,
        time_us -> BigInt,
        stored_us -> BigInt,
        topic -> Text,
        source -> Text,
        subject -> Text,
        data -> Binary,
        attributes -> Binary,
    }
}

diesel::table! {
    consumers (id) {
        id -> BigInt,
        plugin -> Text,
        name -> Text,
        filters -> Text,
        position -> BigInt,
        active_us -> BigInt,
        missed -> BigInt,
    }
}

diesel::table! {
    refusals (consumer, event_id) {
        consumer -> BigInt,
        seq -> BigInt,
        event_id -> Binary,
        time_us -> BigInt,
        topic -> Text,
        source -> Text,
        subject -> Text,
        data -> Binary,
        attributes -> Binary,
        attempts -> BigInt,
        due_us -> Nullable<BigInt>,
        refused_us -> BigInt,
        reason -> Text,
    }
}

diesel::table! {
    jobs (plugin, name) {
        plugin -> Text,
        name -> Text,
        schedule -> Text,
        time_zone -> Text,
        paused -> Bool,
        since_us -> BigInt,
        last_run_us -> Nullable<BigInt>,
        last_outcome -> Nullable<Text>,
    }
}

diesel::table! {
    job_runs (plugin, job, number) {
        plugin -> Text,
        job -> Text,
        number -> BigInt,
        scheduled_us -> BigInt,
        started_us -> Nullable<BigInt>,
        duration_us -> Nullable<BigInt>,
        cause -> Text,
        outcome -> Text,
        message -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(plugins, grants);
diesel::allow_tables_to_appear_in_same_query!(consumers, refusals);
