//! What a handler asks of the caller, read from its first argument: the document says what the code does.

use actix_web::{Handler, HttpRequest, web};

use super::auth::{Admin, May, SignedIn};
use crate::platform::access::rights::Right;

/// What a handler asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing, or what it looks at itself and says in its description.
    Nothing,
    /// To be signed in.
    SignIn,
    /// A permission.
    Permission(&'static str),
    /// The role `admin`.
    Everything,
}

/// What stands first among a handler's arguments.
pub(super) trait First {
    const NEEDS: Needs;
}

impl<R: Right> First for May<R> {
    const NEEDS: Needs = Needs::Permission(R::NAME);
}

impl First for Admin {
    const NEEDS: Needs = Needs::Everything;
}

impl First for SignedIn {
    const NEEDS: Needs = Needs::SignIn;
}

impl First for HttpRequest {
    const NEEDS: Needs = Needs::Nothing;
}

impl<T: ?Sized> First for web::Data<T> {
    const NEEDS: Needs = Needs::Nothing;
}

/// A handler's arguments.
pub(super) trait Arguments {
    const NEEDS: Needs;
}

impl Arguments for () {
    const NEEDS: Needs = Needs::Nothing;
}

macro_rules! arguments {
    ($($($other:ident)*;)+) => {$(
        impl<F: First, $($other),*> Arguments for (F, $($other),*) {
            const NEEDS: Needs = F::NEEDS;
        }
    )+};
}

arguments! {
    ;
    A;
    A B;
    A B C;
    A B C D;
}

/// What this handler asks of the caller.
pub(super) fn of<H: Handler<A>, A: Arguments>(_: H) -> Needs {
    A::NEEDS
}
