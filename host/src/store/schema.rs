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

diesel::table! {
    users (id) {
        id -> Text,
        name -> Text,
        full_name -> Text,
        email -> Text,
        tier -> Text,
        role -> Text,
        password -> Nullable<Text>,
        disabled -> Bool,
        created_us -> BigInt,
        updated_us -> BigInt,
        last_login_us -> Nullable<BigInt>,
    }
}

diesel::table! {
    user_groups (id) {
        id -> Text,
        name -> Text,
        description -> Text,
        created_us -> BigInt,
        updated_us -> BigInt,
    }
}

diesel::table! {
    group_members (user_group, user_id) {
        user_group -> Text,
        user_id -> Text,
    }
}

diesel::table! {
    user_permissions (user_id, permission) {
        user_id -> Text,
        permission -> Text,
    }
}

diesel::table! {
    group_permissions (user_group, permission) {
        user_group -> Text,
        permission -> Text,
    }
}

diesel::table! {
    tokens (id) {
        id -> Text,
        user_id -> Text,
        name -> Text,
        hash -> Binary,
        scopes -> Text,
        created_us -> BigInt,
        expires_us -> Nullable<BigInt>,
        last_used_us -> Nullable<BigInt>,
    }
}

diesel::table! {
    sign_ins (hash) {
        hash -> Binary,
        user_id -> Text,
        created_us -> BigInt,
        seen_us -> BigInt,
    }
}

diesel::table! {
    catalogues (name) {
        name -> Text,
        own_name -> Text,
        location -> Text,
        public_key -> Nullable<Text>,
        next_key -> Nullable<Text>,
        version -> BigInt,
        digest -> Text,
        expires_us -> BigInt,
        added_us -> BigInt,
        synced_us -> BigInt,
        failed_us -> Nullable<BigInt>,
        failure -> Nullable<Text>,
    }
}

diesel::table! {
    catalogue_listings (catalogue, plugin) {
        catalogue -> Text,
        plugin -> Text,
        document -> Text,
    }
}

diesel::table! {
    catalogue_revocations (catalogue, subject) {
        catalogue -> Text,
        subject -> Text,
        reason -> Text,
    }
}

diesel::table! {
    plugin_ratings (plugin, user_id) {
        plugin -> Text,
        user_id -> Text,
        rating -> BigInt,
        review -> Text,
        created_us -> BigInt,
        updated_us -> BigInt,
    }
}

diesel::table! {
    plugin_downloads (plugin) {
        plugin -> Text,
        installs -> BigInt,
        version -> Text,
        package -> Text,
        catalogue -> Text,
        installed_us -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        owner -> Text,
        template -> Text,
        state -> Text,
        reason -> Text,
        cpu -> Text,
        memory -> Text,
        storage -> Text,
        rfb_address -> Nullable<Text>,
        url -> Nullable<Text>,
        idle_timeout_secs -> Nullable<BigInt>,
        persistent_home -> Bool,
        created_us -> BigInt,
        updated_us -> BigInt,
        request -> Text,
        idempotency_key -> Nullable<Text>,
    }
}

diesel::table! {
    session_activity (session) {
        session -> Text,
        idle -> Bool,
        active_us -> Nullable<BigInt>,
        heartbeat_us -> Nullable<BigInt>,
        cpu_usage -> Double,
        memory_usage -> Double,
        storage_usage -> Double,
    }
}

diesel::table! {
    session_tags (session, tag) {
        session -> Text,
        tag -> Text,
    }
}

diesel::table! {
    session_shares (session, shared_with) {
        session -> Text,
        shared_with -> Text,
        access -> Text,
        shared_us -> BigInt,
    }
}

diesel::table! {
    session_connections (session, id) {
        session -> Text,
        id -> Text,
        client_address -> Text,
        user_agent -> Text,
        connected_us -> BigInt,
    }
}

diesel::table! {
    trusted_keys (public_key) {
        public_key -> Text,
        key_id -> Text,
        name -> Text,
        added_us -> BigInt,
    }
}

diesel::table! {
    revocations (subject) {
        subject -> Text,
        reason -> Text,
        revoked_us -> BigInt,
    }
}

diesel::table! {
    unsigned_plugins (plugin) {
        plugin -> Text,
        until_us -> BigInt,
        allowed_us -> BigInt,
    }
}

diesel::table! {
    plugin_generations (plugin, content) {
        plugin -> Text,
        content -> Text,
        version -> Text,
        library -> Text,
        trust -> Text,
        key_id -> Nullable<Text>,
        signer -> Nullable<Text>,
        package -> Nullable<Text>,
        files -> Text,
        installed_us -> BigInt,
        next_key -> Nullable<Text>,
        replaced -> Nullable<Text>,
    }
}

diesel::table! {
    plugin_pins (plugin) {
        plugin -> Text,
        version -> Text,
    }
}

diesel::table! {
    plugin_operations (plugin) {
        plugin -> Text,
        kind -> Text,
        step -> Text,
        from_content -> Nullable<Text>,
        to_content -> Nullable<Text>,
        purge -> Bool,
        begun_us -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(plugins, grants);
diesel::allow_tables_to_appear_in_same_query!(consumers, refusals);
diesel::allow_tables_to_appear_in_same_query!(user_groups, group_members, group_permissions, users);
diesel::allow_tables_to_appear_in_same_query!(tokens, users);
diesel::allow_tables_to_appear_in_same_query!(sessions, session_tags, session_shares);
diesel::allow_tables_to_appear_in_same_query!(plugin_ratings, users);
