//! Requests, responses and errors in the wire formats of AWS's protocols.

pub(crate) mod call;
pub(crate) mod error;
pub(crate) mod pagination;
pub(crate) mod parameters;
pub(crate) mod protocol;
pub(crate) mod service;
