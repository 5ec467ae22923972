//! Functions that one side lends the other for the length of a call.
//!
//! A callback crosses as a pointer to a closure and the function that calls it. The types here borrow the closure, are
//! neither `Send` nor `Sync`, and call it through `&mut self`: it is never called twice at once, from another thread, or
//! after the call that it was lent for.

use std::{fmt, marker::PhantomData};

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RVec},
};

use super::{Handle, Outcome, guard};
use crate::{abi::Fault, database::RowView, http::OwnedHeader};

/// Where a query's rows go, one at a time, while the query runs.
#[repr(C)]
#[derive(StableAbi)]
pub struct RowSink<'a> {
    context: *mut (),
    push: extern "C" fn(*mut (), RowView<'_>) -> Outcome<bool>,
    borrowed: PhantomData<&'a mut ()>,
}

impl<'a> RowSink<'a> {
    /// Lends `sink`, which answers whether it wants more rows.
    pub fn new<F: FnMut(&RowView<'_>) -> Result<bool, Fault>>(sink: &'a mut F) -> Self {
        extern "C" fn push<F: FnMut(&RowView<'_>) -> Result<bool, Fault>>(
            context: *mut (),
            row: RowView<'_>,
        ) -> Outcome<bool> {
            guard("the callback for rows", || {
                // SAFETY: `new` made the pointer of a `&'a mut F`, which this type borrows, and nobody but `push` calls
                // this function, through `&mut self`.
                let sink = unsafe { &mut *context.cast::<F>() };
                sink(&row)
            })
            .and_then(|more| more)
            .into()
        }
        Self { context: std::ptr::from_mut(sink).cast(), push: push::<F>, borrowed: PhantomData }
    }

    /// `[worker]` `[setup]` Hands over a row, on the thread of the call that the sink was lent for. `false`: no more rows
    /// are wanted.
    ///
    /// # Errors
    ///
    /// What the sink failed with, a panic included. It wants no more rows then.
    pub fn push(&mut self, row: RowView<'_>) -> Result<bool, Fault> {
        (self.push)(self.context, row).into_result()
    }
}

impl fmt::Debug for RowSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowSink").finish_non_exhaustive()
    }
}

/// What is done within a transaction.
#[repr(C)]
#[derive(StableAbi)]
pub struct TransactionBody<'a> {
    context: *mut (),
    call: extern "C" fn(*mut (), Handle) -> Outcome<()>,
    borrowed: PhantomData<&'a mut ()>,
}

impl<'a> TransactionBody<'a> {
    /// Lends `body`, whose failure undoes the transaction.
    pub fn new<F: FnMut(Handle) -> Result<(), Fault>>(body: &'a mut F) -> Self {
        extern "C" fn call<F: FnMut(Handle) -> Result<(), Fault>>(
            context: *mut (),
            transaction: Handle,
        ) -> Outcome<()> {
            guard("the body of a transaction", || {
                // SAFETY: `new` made the pointer of a `&'a mut F`, which this type borrows, and nobody but `call` calls
                // this function, once.
                let body = unsafe { &mut *context.cast::<F>() };
                body(transaction)
            })
            .and_then(|done| done)
            .into()
        }
        Self { context: std::ptr::from_mut(body).cast(), call: call::<F>, borrowed: PhantomData }
    }

    /// `[worker]` `[setup]` Runs it with the transaction's handle, on the thread of the call that it was lent for.
    ///
    /// # Errors
    ///
    /// What it failed with, a panic included.
    pub fn call(self, transaction: Handle) -> Result<(), Fault> {
        (self.call)(self.context, transaction).into_result()
    }
}

impl fmt::Debug for TransactionBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionBody").finish_non_exhaustive()
    }
}

/// Where the pieces of an answer go.
pub trait AnswerSink {
    /// Begins the answer. Once, before the first piece.
    ///
    /// # Errors
    ///
    /// When the answer cannot be given in pieces, or the client has gone.
    fn begin(&mut self, status: u16, headers: Vec<OwnedHeader>) -> Result<(), Fault>;

    /// Hands over a piece, and waits while the client takes none.
    ///
    /// # Errors
    ///
    /// When the client has gone, or takes nothing for too long.
    fn write(&mut self, piece: &[u8]) -> Result<(), Fault>;
}

/// What an answer is given with in pieces, while the handler runs.
#[repr(C)]
#[derive(StableAbi)]
pub struct Responder<'a> {
    context: *mut (),
    begin: extern "C" fn(*mut (), u16, RVec<OwnedHeader>) -> Outcome<()>,
    write: extern "C" fn(*mut (), RSlice<'_, u8>) -> Outcome<()>,
    borrowed: PhantomData<&'a mut ()>,
}

impl<'a> Responder<'a> {
    /// Lends `sink`.
    pub fn new<S: AnswerSink>(sink: &'a mut S) -> Self {
        extern "C" fn begin<S: AnswerSink>(
            context: *mut (),
            status: u16,
            headers: RVec<OwnedHeader>,
        ) -> Outcome<()> {
            guard("the beginning of an answer", || {
                // SAFETY: `new` made the pointer of a `&'a mut S`, which this type borrows, and nobody but `begin` and
                // `write` call these functions, through `&mut self`.
                let sink = unsafe { &mut *context.cast::<S>() };
                sink.begin(status, headers.into_vec())
            })
            .and_then(|done| done)
            .into()
        }
        extern "C" fn write<S: AnswerSink>(context: *mut (), piece: RSlice<'_, u8>) -> Outcome<()> {
            guard("a piece of an answer", || {
                // SAFETY: as above.
                let sink = unsafe { &mut *context.cast::<S>() };
                sink.write(piece.as_slice())
            })
            .and_then(|done| done)
            .into()
        }
        Self {
            context: std::ptr::from_mut(sink).cast(),
            begin: begin::<S>,
            write: write::<S>,
            borrowed: PhantomData,
        }
    }

    /// `[request]` Begins the answer, on the thread of the call that the responder was lent for.
    ///
    /// # Errors
    ///
    /// As [`AnswerSink::begin`].
    pub fn begin(&mut self, status: u16, headers: Vec<OwnedHeader>) -> Result<(), Fault> {
        (self.begin)(self.context, status, headers.into()).into_result()
    }

    /// `[request]` Hands over a piece, on the thread of the call that the responder was lent for.
    ///
    /// # Errors
    ///
    /// As [`AnswerSink::write`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        (self.write)(self.context, RSlice::from_slice(piece)).into_result()
    }
}

impl fmt::Debug for Responder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{FaultKind, RSlice};

    fn row() -> RowView<'static> {
        RowView { columns: RSlice::from_slice(&[]), values: RSlice::from_slice(&[]) }
    }

    #[test]
    fn a_sink_is_called_with_each_row_until_it_has_enough() {
        let mut rows = 0;
        let mut count = |_: &RowView<'_>| {
            rows += 1;
            Ok(rows < 2)
        };
        let mut sink = RowSink::new(&mut count);
        assert_eq!(sink.push(row()), Ok(true));
        assert_eq!(sink.push(row()), Ok(false));
        assert_eq!(rows, 2);
    }

    #[test]
    fn a_panic_of_a_callback_is_a_fault() {
        let mut sink = |_: &RowView<'_>| -> Result<bool, Fault> { panic!("boom") };
        let fault = RowSink::new(&mut sink).push(row()).expect_err("it panics");
        assert_eq!(fault.kind, FaultKind::PANICKED);
        let mut body = |_| -> Result<(), Fault> { panic!("boom") };
        let fault = TransactionBody::new(&mut body).call(Handle(1)).expect_err("it panics");
        assert!(fault.message.contains("boom"), "{fault}");
    }

    #[test]
    fn a_body_is_given_its_handle() {
        let mut seen = None;
        let mut body = |handle| {
            seen = Some(handle);
            Ok(())
        };
        TransactionBody::new(&mut body).call(Handle(7)).expect("it succeeds");
        assert_eq!(seen, Some(Handle(7)));
    }
}
