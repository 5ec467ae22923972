//! `platform/1`, offered by the host.

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RStr, RVec},
};

use crate::abi::{Handle, Outcome};

/// The capability's id.
pub const ID: &str = "platform/1";

/// `platform/1`, the host's half. Records cross as JSON, in UTF-8: they have many members, which later hosts add to. A host
/// refuses a member of a filter or of something to be made that it does not know, and a plugin passes over those of a
/// record. Every function waits for the disk or the network.
///
/// A call that the plugin's permissions do not allow fails with [`FaultKind::DENIED`](crate::abi::FaultKind::DENIED).
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = PlatformRef)))]
#[sabi(missing_field(option))]
pub struct PlatformTable {
    /// `[worker]` `[setup]` and threads of the plugin's own: a page of the sessions that a filter names. Permission
    /// `read:sessions`.
    pub list_sessions: extern "C" fn(Handle, RSlice<'_, u8>) -> Outcome<RVec<u8>>,
    /// As `list_sessions`: the session with an id.
    pub get_session: extern "C" fn(Handle, RStr<'_>) -> Outcome<ROption<RVec<u8>>>,
    /// As `list_sessions`, with the permission `write:sessions`: makes a session, and answers it.
    pub create_session: extern "C" fn(Handle, RSlice<'_, u8>) -> Outcome<RVec<u8>>,
    /// As `create_session`: has the session with an id take a step, and answers it.
    /// [`FaultKind::CONFLICT`](crate::abi::FaultKind::CONFLICT) if its state does not lead there.
    pub transition_session: extern "C" fn(Handle, RStr<'_>, RSlice<'_, u8>) -> Outcome<RVec<u8>>,
    /// As `list_sessions`: a page of the users that a filter names. Permission `read:users`.
    pub list_users: extern "C" fn(Handle, RSlice<'_, u8>) -> Outcome<RVec<u8>>,
    /// As `list_users`: the user with a name or id.
    #[sabi(last_prefix_field)]
    pub get_user: extern "C" fn(Handle, RStr<'_>) -> Outcome<ROption<RVec<u8>>>,
}
