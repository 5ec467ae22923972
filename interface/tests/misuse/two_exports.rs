//! A library is one plugin, whatever modules its parts are in.

use streamspace_plugin::prelude::*;

mod first {
    use super::*;

    pub struct First;

    impl Plugin for First {
        type Config = ();

        fn load(_: &Context, (): ()) -> Result<Self> {
            Ok(Self)
        }
    }

    streamspace_plugin::export!(First);
}

mod second {
    use super::*;

    pub struct Second;

    impl Plugin for Second {
        type Config = ();

        fn load(_: &Context, (): ()) -> Result<Self> {
            Ok(Self)
        }
    }

    streamspace_plugin::export!(Second);
}

fn main() {}
