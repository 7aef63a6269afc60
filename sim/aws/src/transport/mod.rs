//! How requests arrive: from SDK clients in this process, or over HTTP.

pub(crate) mod http;
pub(crate) mod in_process;
