//! Conference seats (S3.6): where each voice comes from, and the stereo picture of it for phones that
//! can play two channels but not several tracks.
//!
//! A seat belongs to the session, not to anybody's head: nothing here knows which way a listener
//! looks, so that turning one's head changes no place.

mod geometry;
mod render;

pub use geometry::{
    Acoustics, Category, NEAR_FOR, Place, Room, SEATS_MAX, Seat, WHISPER_DISTANCE, acoustics,
    azimuth_deg, place,
};
pub use render::{FRAME_SAMPLES, Renderer, SOURCES_MAX, Source};

#[cfg(test)]
mod tests;
