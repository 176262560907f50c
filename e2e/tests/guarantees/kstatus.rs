//! Conditions as kstatus, kubectl and Argo CD read them.
