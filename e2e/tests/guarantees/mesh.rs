//! A mesh loses no component to a mistake, a slow API server or a name that was taken for a while.
