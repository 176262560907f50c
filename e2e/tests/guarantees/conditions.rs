//! Conditions are evidence: what keeps a pod from being available now, and nothing else.
