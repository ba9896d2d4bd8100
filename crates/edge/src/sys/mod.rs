//! System calls that the standard library does not offer. The only place with `unsafe`; everything
//! here has a safe face.
#![allow(unsafe_code)]

pub(crate) mod address;
pub(crate) mod epoll;
pub(crate) mod event;
pub(crate) mod icmp;
pub(crate) mod mmsg;
pub(crate) mod process;
pub(crate) mod socket;
