//! Who may do what: tenants and administrators stay inside their namespaces.
