//! The one door through which Crosspoint fetches anything over HTTP.
