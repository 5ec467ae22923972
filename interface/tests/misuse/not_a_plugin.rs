//! What is exported must implement `Plugin`.

struct Greeter;

streamspace_plugin::export!(Greeter);

fn main() {}
