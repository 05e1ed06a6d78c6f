//! The keys of the key file and what hangs on them: data keys, digests that are renewed, rotation by command, and how
//! running processes take a new key file into use.

pub mod data_keys;
pub mod rewrap;
pub mod rotation;
pub mod watch;
