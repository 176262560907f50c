//! The number of replicas has one owner, and there is always a number.
