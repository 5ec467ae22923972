pub mod plugin_config;
