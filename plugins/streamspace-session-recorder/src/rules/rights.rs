//! Who may do what with a recording.

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Know that it is there, and what is written down of it.
    See,
    /// Look at it.
    Play,
    /// Take it along.
    Download,
    /// Stop, pause, resume, mark.
    Control,
    Delete,
    /// See who has seen it; verify it.
    Audit,
}

/// Who it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewer<'a> {
    /// The account's name.
    pub(crate) name: &'a str,
    /// `recording.read`: everybody's recordings may be seen and played.
    pub(crate) reads: bool,
    /// `recording.write`: everybody's sessions may be recorded.
    pub(crate) writes: bool,
    /// `recording.admin`: everything.
    pub(crate) is_admin: bool,
}

/// Of which recording.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each from a column")]
pub(crate) struct Facts<'a> {
    /// Whose session it is of.
    pub(crate) owner: &'a str,
    /// Who started it.
    pub(crate) created_by: &'a str,
    /// Whether the session is shared with the viewer.
    pub(crate) is_shared: bool,
    pub(crate) is_automatic: bool,
    pub(crate) allows_playback: bool,
    pub(crate) allows_download: bool,
    pub(crate) is_held: bool,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// It is not even to be known that there is one.
    #[error("there is no such recording")]
    Hidden,
    #[error("its policy does not let users play it")]
    Playback,
    #[error("its policy does not let users download it")]
    Download,
    #[error("only the session's user may download it")]
    NotOwner,
    #[error("it was started by somebody else, or by a policy")]
    NotStarter,
    #[error("it is under legal hold: it stays until the hold is lifted")]
    Held,
    #[error("it takes the permission `recording.admin`")]
    NotAdmin,
}

/// Whether somebody may do something with a recording.
pub(crate) fn may(viewer: &Viewer<'_>, act: Act, with: &Facts<'_>) -> Result<(), Denied> {
    // Not even an administrator: first the hold is lifted, and that is written down.
    if act == Act::Delete && with.is_held && sees(viewer, with) {
        return Err(Denied::Held);
    }
    if viewer.is_admin {
        return Ok(());
    }
    if !sees(viewer, with) {
        return Err(Denied::Hidden);
    }
    let is_owner = viewer.name == with.owner;
    // It counts only for whom the session is still there.
    let started =
        !with.is_automatic && viewer.name == with.created_by && (is_owner || with.is_shared || viewer.writes);
    match act {
        Act::See => Ok(()),
        Act::Play if viewer.reads || with.allows_playback => Ok(()),
        Act::Play => Err(Denied::Playback),
        Act::Download if viewer.reads => Ok(()),
        Act::Download if !is_owner => Err(Denied::NotOwner),
        Act::Download if with.allows_download => Ok(()),
        Act::Download => Err(Denied::Download),
        Act::Control if viewer.writes || started => Ok(()),
        Act::Delete if started => Ok(()),
        Act::Control | Act::Delete => Err(Denied::NotStarter),
        Act::Audit => Err(Denied::NotAdmin),
    }
}

fn sees(viewer: &Viewer<'_>, with: &Facts<'_>) -> bool {
    let is_theirs = viewer.name == with.owner || with.is_shared;
    viewer.is_admin || viewer.reads || viewer.writes || (is_theirs && !viewer.name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Viewer<'_> = Viewer { name: "ada", reads: false, writes: false, is_admin: false };
    const HERS: Facts<'_> = Facts {
        owner: "ada",
        created_by: "ada",
        is_shared: false,
        is_automatic: false,
        allows_playback: true,
        allows_download: true,
        is_held: false,
    };
    const ACTS: [Act; 6] = [Act::See, Act::Play, Act::Download, Act::Control, Act::Delete, Act::Audit];

    fn allowed(viewer: Viewer<'_>, with: Facts<'_>) -> Vec<Act> {
        ACTS.into_iter().filter(|act| may(&viewer, *act, &with).is_ok()).collect()
    }

    #[test]
    fn users_have_what_is_theirs() {
        use Act::{Control, Delete, Download, Play, See};
        assert_eq!(allowed(ADA, HERS), [See, Play, Download, Control, Delete]);
        let automatic = Facts { is_automatic: true, created_by: "policy", ..HERS };
        assert_eq!(allowed(ADA, automatic), [See, Play, Download]);
        assert_eq!(allowed(ADA, Facts { allows_playback: false, ..automatic }), [See, Download]);
        assert_eq!(allowed(ADA, Facts { allows_download: false, ..automatic }), [See, Play]);
        let bob = Viewer { name: "bob", ..ADA };
        assert_eq!(allowed(bob, HERS), []);
        assert_eq!(allowed(bob, Facts { is_shared: true, ..HERS }), [See, Play]);
        assert_eq!(may(&bob, Act::Play, &HERS), Err(Denied::Hidden));
        assert_eq!(allowed(Viewer { name: "", ..ADA }, Facts { owner: "", created_by: "", ..HERS }), []);
    }

    #[test]
    fn who_has_started_it_has_no_more_of_it_than_of_the_session() {
        use Act::{Control, Delete, Play, See};
        let bob = Viewer { name: "bob", ..ADA };
        let his = Facts { created_by: "bob", ..HERS };
        assert_eq!(allowed(bob, Facts { is_shared: true, ..his }), [See, Play, Control, Delete]);
        assert_eq!(allowed(bob, his), []);
        assert_eq!(allowed(Viewer { writes: true, ..bob }, his), [See, Play, Control, Delete]);
        assert_eq!(allowed(Viewer { reads: true, ..bob }, his), [See, Play, Act::Download]);
    }

    #[test]
    fn permissions_reach_further() {
        let eve = Viewer { name: "eve", ..ADA };
        let closed = Facts { allows_playback: false, allows_download: false, ..HERS };
        assert_eq!(allowed(Viewer { reads: true, ..eve }, closed), [Act::See, Act::Play, Act::Download]);
        assert_eq!(allowed(Viewer { writes: true, ..eve }, closed), [Act::See, Act::Control]);
        assert_eq!(allowed(Viewer { is_admin: true, ..eve }, closed), ACTS);
    }

    #[test]
    fn nobody_deletes_what_is_held() {
        let held = Facts { is_held: true, ..HERS };
        for viewer in [ADA, Viewer { is_admin: true, ..ADA }] {
            assert_eq!(may(&viewer, Act::Delete, &held), Err(Denied::Held));
            assert!(may(&viewer, Act::Play, &held).is_ok());
        }
        assert_eq!(may(&Viewer { name: "bob", ..ADA }, Act::Delete, &held), Err(Denied::Hidden));
    }
}
