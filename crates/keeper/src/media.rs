//! Pictures: decoded within limits, their text chunks, the store of kept ones and
//! their thumbnails, live previews.

pub mod decode;
pub mod exif;
pub mod likeness;
pub mod parameters;
pub mod pictures;
pub mod png_text;
pub mod preview;
pub mod proof;
mod thumbnails;
