//! A root has what every root has, and no more: a library with another one is refused, and does not spoil it for others.

#![expect(unsafe_code, reason = "a header is made by hand, as no SDK would make it")]
#![expect(dead_code, reason = "a root is not looked into here")]

use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModule, RootModuleResult},
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::RStr,
};
use streamspace_plugin::{
    abi,
    abi::{Export, ForeignHeader, Header, Note, Outcome, Peer, note_size, open_header},
    prelude::*,
};

/// A root with a field more.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RootRef)))]
struct Root {
    abi: u32,
    facts: RStr<'static>,
    #[sabi(last_prefix_field)]
    create: extern "C" fn(Peer) -> Outcome<Peer>,
    more: u64,
}

impl RootModule for RootRef {
    declare_root_module_statics! {RootRef}
    const BASE_NAME: &'static str = "streamspace_plugin";
    const NAME: &'static str = "streamspace_plugin";
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}

extern "C" fn create(peer: Peer) -> Outcome<Peer> {
    Outcome::ROk(peer)
}

extern "C" fn grown() -> RootModuleResult {
    fn root() -> RootRef {
        Root { abi: 1, facts: RStr::from_str("{}"), create, more: 0 }.leak_into_prefix()
    }
    __call_root_module_loader(root)
}

// SAFETY: `grown` returns what `RootRef` says.
static GROWN: LibHeader = unsafe { LibHeader::from_constructor::<RootRef>(grown, CheckTypeLayout::Yes) };

struct Usual;

impl Plugin for Usual {
    type Config = ();
    fn load(_: &Context, (): ()) -> Result<Self> {
        Ok(Self)
    }
}

struct Exported;

impl Export for Exported {
    type Plugin = Usual;
    const NAME: &'static str = "usual";
    const VERSION: &'static str = "1.0.0";
    const PANIC: &'static str = "unwind";
    const CPU_FEATURES: &'static [(&'static str, bool)] = &[];
    fn facts() -> &'static str {
        NOTE.facts()
    }
}

static NOTE: Note<{ note_size::<Exported>() }> = Note::new::<Exported>();
static USUAL: Header = abi::header::<Exported>();

/// As a symbol of a library is read.
fn foreign(header: &'static LibHeader) -> ForeignHeader {
    // SAFETY: a `ForeignHeader` is a reference to what a header begins with.
    unsafe { std::mem::transmute::<&'static LibHeader, ForeignHeader>(header) }
}

#[test]
fn a_root_that_has_grown_is_refused_and_the_usual_one_is_not() {
    let refused = open_header(foreign(&GROWN)).expect_err("it has more than a root");
    assert!(refused.to_string().starts_with("a root that has more"), "{refused}");
    assert_eq!(open_header(foreign(&USUAL)).expect("a root").abi(), 1);
    open_header(foreign(&GROWN)).expect_err("still");
}
