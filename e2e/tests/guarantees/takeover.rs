//! Objects and children that the Go operator left are taken over as a whole.
