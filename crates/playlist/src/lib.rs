//! The documents a player follows: SMIL, QuickTime link, RAM, M3U, XSPF.
